"""A Deployment is settled when its controller says so of this very spec."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.kube.rollout import findings, late, refused, settled, spare
from tests.kube.objects import a_deployment

DONE = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}


def test_a_rollout_that_is_complete() -> None:
    assert settled(a_deployment(status=DONE))
    assert settled(a_deployment(replicas=0, status={"observedGeneration": 3}))


@pytest.mark.parametrize(
    "lacks",
    [
        {"observedGeneration": 2},
        {"replicas": 3},
        {"updatedReplicas": 1},
        {"readyReplicas": 1},
        {"availableReplicas": None},
    ],
)
def test_a_rollout_that_lacks_something(lacks: dict[str, Any]) -> None:
    assert not settled(a_deployment(status=DONE | lacks))


def test_a_deployment_that_nobody_has_looked_at() -> None:
    assert not settled(a_deployment())


def test_one_that_is_paused_rolls_nothing_out() -> None:
    whole, due = a_deployment(status=DONE), a_deployment(status=DONE | {"updatedReplicas": 0})
    assert findings(whole) == []
    for paused in (whole, due):
        paused["spec"]["paused"] = True
        [found] = findings(paused)
        assert found.fatal
        assert found.mend.startswith("kubectl rollout resume deployment/")
    assert (settled(whole), late(whole)) == (True, ""), "what it was before is wholly there: that can be undone to"
    assert (settled(due), late(due).partition(":")[0]) == (False, "Paused")


def test_why_it_does_not_get_on() -> None:
    slow = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    quota = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: pods"}
    fine = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
    assert late(a_deployment(status={"conditions": [fine]})) == ""
    assert late(a_deployment(status={"conditions": [slow]})) == "ProgressDeadlineExceeded: timed out"
    assert refused(a_deployment(status={"conditions": [fine, quota]})) == "FailedCreate: exceeded quota: pods"
    assert late(a_deployment(status={"conditions": [fine, quota]})) == "", "it tries again, and others end meanwhile"
    both = "ProgressDeadlineExceeded: timed out; FailedCreate: exceeded quota: pods"
    assert late(a_deployment(status={"conditions": [slow, quota]})) == both


@pytest.mark.parametrize(
    ("replicas", "strategy", "may"),
    [
        (20, {}, 5),
        (20, {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}}, 2),
        (20, {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 3}}}, 3),
        (20, {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}}, 0),
        (20, {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}}}, 5),
        (20, {"strategy": {"type": "Recreate"}}, 5),
        (3, {}, 0),
        (1, {"strategy": {"rollingUpdate": {"maxUnavailable": 1}}}, 0),
    ],
)
def test_how_many_may_be_missing_while_it_is_rolled_out(replicas: int, strategy: dict[str, Any], may: int) -> None:
    deployment = a_deployment(replicas=replicas)
    deployment["spec"] |= strategy
    assert spare(deployment) == may

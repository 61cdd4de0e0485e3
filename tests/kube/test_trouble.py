"""Pods' trouble is what does not pass by waiting; a slow start is none."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.kube import trouble
from tests.kube.objects import a_pod

DIED = {"terminated": {"exitCode": 1, "reason": "Error"}}
OOM = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_a_pod_that_takes_its_time_has_none(reason: str) -> None:
    assert trouble.of(a_pod(ready=False, state=waiting(reason)), None) is None
    assert trouble.of(a_pod(), 0) is None


@pytest.mark.parametrize(
    "reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"]
)
def test_what_cannot_be_started_says_why_and_has_no_log(reason: str) -> None:
    found = trouble.of(a_pod(ready=False, state=waiting(reason, "no such image")), None)
    assert found == trouble.Trouble(f"{reason}: no such image")


def test_a_crash_loop_says_how_it_died_and_where_to_read() -> None:
    pod = a_pod(ready=False, state=waiting("CrashLoopBackOff"), lastState=DIED, restartCount=3)
    assert trouble.of(pod, None) == trouble.Trouble("CrashLoopBackOff: Error, exit code 1", "shop", previous=True)


@pytest.mark.parametrize(("state", "last", "previous"), [(OOM, {}, False), ({"running": {}}, OOM, True)])
def test_a_container_that_took_too_much_memory_has_failed_however_early(
    state: dict[str, Any], last: dict[str, Any], previous: bool
) -> None:
    pod = a_pod(ready=False, state=state, lastState=last, restartCount=int(previous))
    assert trouble.of(pod, None) == trouble.Trouble("OOMKilled, exit code 137", "shop", previous)


def test_dying_in_service_is_trouble_and_dying_before_is_another_try() -> None:
    again = a_pod(lastState=DIED, restartCount=1)
    assert trouble.of(again, None) is None
    assert trouble.of(again, 1) is None
    assert trouble.of(again, 0) == trouble.Trouble("Error, exit code 1", "shop", previous=True)
    ended_well = a_pod(lastState={"terminated": {"exitCode": 0, "reason": "Completed"}}, restartCount=1)
    assert trouble.of(ended_well, 0) is None


def test_an_init_container_counts_too() -> None:
    pod = a_pod(ready=False, state=waiting("PodInitializing"))
    first = {"name": "first", "restartCount": 2, "state": waiting("CrashLoopBackOff"), "lastState": DIED}
    pod["status"]["initContainerStatuses"] = [first]
    found = trouble.of(pod, None)
    assert found is not None
    assert found.container == "first"


def test_what_becomes_trouble_when_it_lasts() -> None:
    pod = a_pod(ready=False)
    assert trouble.waits(pod, was_ready=False) == ""
    assert trouble.waits(pod, was_ready=True) == "NotReady: containers with unready status: [shop]"
    pod["status"]["conditions"][0] = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available",
    }  # fmt: skip
    assert trouble.waits(pod, was_ready=False) == "Unschedulable: 0/1 nodes are available"


def test_a_pod_that_leaves_is_not_ready_and_one_without_a_word_neither() -> None:
    pod = a_pod()
    assert trouble.ready(pod)
    pod["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    assert not trouble.ready(pod)
    assert not trouble.ready({"metadata": {}, "spec": {}})
    assert trouble.over({"metadata": {}, "status": {"phase": "Failed", "reason": "Evicted"}})

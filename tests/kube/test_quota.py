"""Room for a canary is counted as the API server counts it: pods, and what their containers ask for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from serinus.kube.quota import findings, needed
from tests.kube.objects import a_deployment


def a_quota(used: dict[str, str] | None = None, scopes: list[str] | None = None, **hard: str) -> dict[str, Any]:
    limits = {name.replace("_", "."): limit for name, limit in hard.items()}
    return {"metadata": {"name": "q"}, "spec": {"scopes": scopes}, "status": {"hard": limits, "used": used or {}}}


def asking(**resources: Any) -> dict[str, Any]:
    return {"name": "shop", "image": "team/shop:v1", "resources": resources}


def a_stable(*containers: dict[str, Any], init: list[dict[str, Any]] | None = None, **spec: Any) -> dict[str, Any]:
    found = a_deployment(replicas=4)
    found["spec"]["template"]["spec"] |= {"containers": list(containers), "initContainers": init or []}
    found["spec"] |= spec
    return found


def test_pods_are_the_canary_s_and_those_of_stable_s_rollout() -> None:
    assert needed(a_stable(asking()), 4)["pods"] == 5
    recreated = a_stable(asking(), strategy={"type": "Recreate"})
    assert needed(recreated, 4)["pods"] == 4
    surging = a_stable(asking(), strategy={"rollingUpdate": {"maxSurge": 3}})
    assert needed(surging, 1)["count/pods"] == 4


def test_a_pod_asks_for_its_containers_together_and_for_each_first_one_alone() -> None:
    requests = {"cpu": "100m", "memory": "64Mi"}
    wanted = needed(
        a_stable(
            asking(requests=requests, limits={"cpu": "1"}),
            asking(limits={"cpu": "200m"}),
            init=[asking(requests={"cpu": "50m", "memory": "1Gi"})],
            strategy={"type": "Recreate"},
        ),
        2,
    )
    assert wanted["requests.cpu"] == wanted["cpu"] == Decimal("0.6")
    assert wanted["requests.memory"] == 2 * 2**30
    assert wanted["limits.cpu"] == Decimal("2.4")


@pytest.mark.parametrize(
    ("quota", "said"),
    [
        (a_quota(pods="10", used={"pods": "6"}), "4 of 10 pods are left"),
        (a_quota(requests_memory="1Gi", used={"requests.memory": "900Mi"}), "124Mi of 1Gi requests.memory are left"),
        (a_quota(pods="11", used={"pods": "6"}), ""),
        (a_quota(persistentvolumeclaims="0"), ""),
        (a_quota(pods="1", scopes=["BestEffort"]), ""),
    ],
)
def test_what_would_not_fit_is_named(quota: dict[str, Any], said: str) -> None:
    found = findings([quota], needed(a_stable(asking(requests={"memory": "64Mi"})), 4))
    assert [one.what.partition(";")[0] for one in found] == ([said] if said else [])
    assert all(one.fatal and one.where == "ResourceQuota q" for one in found)

"""The canary's budget is stable's in the canary's own measure, and only where the canary has none."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.kube.budget import made, wanted

STABLE = {"app": "shop", "tier": "web"}
CANARY = {"app": "shop-canary", "tier": "web", "serinus.dev/release": "r-1"}


def a_budget(selecting: dict[str, str] | None = None, release: str = "", **spec: Any) -> dict[str, Any]:
    said = {"serinus.dev/release": release} if release else {}
    selector = {"matchLabels": {"app": "shop"} if selecting is None else selecting}
    return {"metadata": {"name": "mine", "annotations": said}, "spec": {"selector": selector, **spec}}


def test_the_canary_lacks_what_stable_has_alone() -> None:
    mine = a_budget()
    assert wanted([mine], STABLE, CANARY) is mine
    assert wanted([], STABLE, CANARY) is None
    assert wanted([a_budget({"app": "another"})], STABLE, CANARY) is None
    assert wanted([mine, a_budget({"tier": "web"})], STABLE, CANARY) is None
    assert wanted([a_budget({})], STABLE, CANARY) is None
    assert wanted([mine, a_budget({"serinus.dev/release": "r-1"}, release="r-1")], STABLE, CANARY) is mine
    assert wanted([{"metadata": {"name": "none"}, "spec": {}}], STABLE, CANARY) is None


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ({"maxUnavailable": 1}, {"maxUnavailable": 1}),
        ({"maxUnavailable": "25%"}, {"maxUnavailable": "25%"}),
        ({"minAvailable": "80%"}, {"minAvailable": "80%"}),
        ({"minAvailable": 2}, {"maxUnavailable": 1}),
        ({"minAvailable": 5}, {"maxUnavailable": 0}),
        ({"maxUnavailable": 0}, {"maxUnavailable": 0}),
        (
            {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
            {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
        ),
    ],
)
def test_as_many_of_it_may_be_away_as_of_stable(said: dict[str, Any], becomes: dict[str, Any]) -> None:
    spec = dict(made(a_budget(**said), "shop-canary", "r-1", replicas=3)["spec"])
    selecting = spec.pop("selector")["matchLabels"]
    assert spec == becomes
    assert selecting == {"serinus.dev/canary": "shop-canary", "serinus.dev/release": "r-1"}

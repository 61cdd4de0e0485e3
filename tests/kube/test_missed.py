"""Whoever would leave the canary out is named, with what both versions' pods have in common."""

from __future__ import annotations

from typing import Any

from serinus.kube.missed import BUDGET, NETWORK_POLICY, findings, monitors

STABLE = {"app": "shop", "tier": "web"}
CANARY = {"app": "shop-canary", "tier": "web"}


def selecting(name: str, place: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {place: {"matchLabels": labels} if labels else {}}}


def test_only_those_that_have_stable_and_not_the_canary_are_named() -> None:
    policies = [
        selecting("mine", "podSelector", app="shop"),
        selecting("both", "podSelector", tier="web"),
        selecting("all", "podSelector"),
        selecting("others", "podSelector", app="web"),
    ]
    (found,) = findings(NETWORK_POLICY, policies, STABLE, CANARY)
    assert str(found) == (
        "NetworkPolicy mine: selects stable's pods by app=shop and not the canary's: its rules do not hold for the canary; "
        "let it select by what both have: tier=web"
    )
    assert not found.fatal


def test_where_nothing_is_in_common_a_label_is_to_be_added() -> None:
    (found,) = findings(BUDGET, [selecting("mine", "selector", app="shop")], {"app": "shop"}, {"app": "shop-canary"})
    assert "a label of your own" in found.mend
    assert findings(BUDGET, [{"metadata": {"name": "empty"}}], STABLE, CANARY) == []


def test_a_monitor_of_services_that_misses_the_canary_s_is_named() -> None:
    ours = {"app": "shop", "app.kubernetes.io/managed-by": "serinus"}
    found = [
        selecting("helm", "selector", **{"app.kubernetes.io/managed-by": "Helm"}),
        selecting("mine", "selector", app="shop"),
    ]
    (missing,) = monitors(found, {"app": "shop", "app.kubernetes.io/managed-by": "Helm"}, ours)
    assert (missing.where, missing.mend) == (
        "ServiceMonitor helm",
        "let it select by what both Services have: app=shop",
    )

"""A Service that would send the canary requests by itself is named; those that are meant to, and others', are not."""

from __future__ import annotations

from typing import Any

from serinus.kube.unasked import findings

STABLE = {"app": "shop", "tier": "web"}
CANARY = {"app": "shop-canary", "tier": "web"}
OWN = frozenset(("shop", "shop-canary"))


def a_service(name: str, cluster_ip: str = "10.96.0.1", **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"selector": labels or None, "clusterIP": cluster_ip}}


def test_what_selects_both_is_named_with_what_keeps_them_apart() -> None:
    services = [
        a_service("shop", app="shop"),
        a_service("shop-canary", app="shop-canary"),
        a_service("outside"),
        a_service("till", app="till"),
        a_service("legacy", tier="web"),
        a_service("peers", "None", tier="web"),
    ]
    legacy, peers = findings(services, STABLE, CANARY, OWN)
    assert str(legacy) == (
        "Service legacy: selects tier=web, as the canary's pods have it too: what asks it would reach the canary unasked; "
        "let it select app=shop as well"
    )
    assert (legacy.fatal, peers.fatal) == (True, False)

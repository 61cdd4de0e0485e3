"""Who selects stable's pods by a label that the canary's have in another form? Pure.

A NetworkPolicy that lets stable's pods through, a budget or a monitor would leave the canary's out: more would differ then than the
version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from serinus.errors import Finding
from serinus.kube import selector
from serinus.kube.client import Kind
from serinus.kube.patch import Object

NETWORK_POLICY = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
BUDGET = Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
POD_MONITOR = Kind("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor")
SERVICE_MONITOR = Kind("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor")
SELECTING: Mapping[Kind, tuple[str, str]] = {
    NETWORK_POLICY: ("podSelector", "its rules do not hold for the canary"),
    BUDGET: (
        "selector",
        "it gets one of its own where we may create one, else a drained node may take all of it at once",
    ),
    POD_MONITOR: ("selector", "the canary's own metrics are not scraped"),
}
"""Kinds that select pods: where their selector stands, and what it means that it misses the canary."""


def findings(
    kind: Kind, found: Sequence[Object], stable: Mapping[str, str], canary: Mapping[str, str]
) -> list[Finding]:
    """A finding for each that selects stable's pods and not the canary's.

    Args:
        stable, canary: labels of their pods
    """
    place, means = SELECTING[kind]
    return [
        Finding(
            f"selects stable's pods by {_shown(wanted)} and not the canary's: {means}",
            f"{kind.name} {one['metadata']['name']}",
            f"let it select by what both have: {_shared(stable, canary)}",
            fatal=False,
        )
        for one in found
        if selector.matches(wanted := _wanted(one, place), stable) and not selector.matches(wanted, canary)
    ]


def monitors(found: Sequence[Object], stable: Mapping[str, str], canary: Mapping[str, str]) -> list[Finding]:
    """A finding for each ServiceMonitor that selects stable's Service and not the canary's.

    Args:
        stable, canary: labels of their Services
    """
    return [
        Finding(
            f"selects stable's Service by {_shown(wanted)} and not the canary's: the canary's own metrics are not scraped",
            f"{SERVICE_MONITOR.name} {one['metadata']['name']}",
            f"let it select by what both Services have: {_shared(stable, canary)}",
            fatal=False,
        )
        for one in found
        if selector.matches(wanted := _wanted(one, "selector"), stable) and not selector.matches(wanted, canary)
    ]


def _wanted(found: Object, place: str) -> dict[str, Any]:
    return dict((found.get("spec") or {}).get(place) or {})


def _shown(wanted: Mapping[str, Any]) -> str:
    return selector.asked(wanted) or "anything"


def _shared(stable: Mapping[str, str], canary: Mapping[str, str]) -> str:
    return ", ".join(_pairs(stable, canary)) or "a label of your own, added to stable's"


def _pairs(stable: Mapping[str, str], canary: Mapping[str, str]) -> Iterator[str]:
    for key, value in sorted(stable.items()):
        if canary.get(key) == value:
            yield f"{key}={value}"

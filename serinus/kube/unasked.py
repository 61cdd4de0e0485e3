"""Which other Service would send its requests to the canary, whatever the weight? Pure.

The canary's pods have stable's labels but for one: a Service that selects by none of what differs takes them for stable's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serinus.errors import Finding
from serinus.kube import selector
from serinus.kube.patch import Object


def findings(
    services: Sequence[Object], stable: Mapping[str, str], canary: Mapping[str, str], own: frozenset[str]
) -> list[Finding]:
    """A finding for each that selects both; a headless one may be for scrapes alone, and is only told.

    Args:
        stable, canary: labels of their pods
        own: names of Services that are meant to
    """
    differing = [key for key in sorted(stable) if canary.get(key) != stable[key]]
    apart = ", ".join(f"{key}={stable[key]}" for key in differing) or "a label that stable's pods alone have"
    told = []
    for one in services:
        name, spec = one["metadata"]["name"], one["spec"]
        wanted = {"matchLabels": spec.get("selector") or {}}
        if name in own or not spec.get("selector"):
            continue
        if selector.matches(wanted, stable) and selector.matches(wanted, canary):
            what = f"selects {selector.asked(wanted)}, as the canary's pods have it too: what asks it would reach the canary unasked"
            told.append(
                Finding(what, f"Service {name}", f"let it select {apart} as well", spec.get("clusterIP") != "None")
            )
    return told

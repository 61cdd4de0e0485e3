"""Releases of seconds: what is tested is who holds the traffic, not how long a version is watched."""

from __future__ import annotations

from typing import Any

STEPS = (("5%", "2s"), ("50%", "2s"), ("100%", "1s"))
LONG = (("5%", "2s"), ("50%", "60s"), ("100%", "1s"))
"""Stays at 50 % until something ends it."""


def policy(service: str, steps: tuple[tuple[str, str], ...] = STEPS, **more: Any) -> dict[str, Any]:
    """A policy whole; `limits` adds to those that stand here, everything else replaces."""
    limits = {"no_traffic": "20s", "metrics_down": "15s", "duration": "3m", "rollback": "10s"} | more.pop("limits", {})
    return {
        "service": service,
        "workload": "local",
        "router": "envoy",
        "phases": [{"weight": weight, "soak": soak} for weight, soak in steps],
        "bake": "2s",
        "gates": {"error_rate": {"max": "2%", "abort_above": "10%"}},
        "checks": {"interval": "1s", "scrape": "1s", "window": "3s", "min_requests": 3, "burst": 1, "warm_up": "1s"},
        "limits": limits,
    } | more


def through(url: str) -> dict[str, Any]:
    """The figures by another address than the platform's own."""
    return {"telemetry": {"prometheus": {"url": url}, "source": "envoy"}}

"""What `preset: <name>` stands for, in the words of the file itself.

`plan` is the canary release plan's own table of phases, its success criteria and its abort conditions. The plan gives its last
phase no duration and the word "stable": read as a soak at 100 % and a bake, every check a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PLAN: Mapping[str, Any] = {
    "phases": [
        {"weight": "5%", "soak": "5m", "gates": {"error_rate": {"max": "0%"}}},
        {"weight": "10%", "soak": "10m"},
        {"weight": "25%", "soak": "15m"},
        {"weight": "50%", "soak": "20m"},
        {"weight": "100%", "soak": "10m"},
    ],
    "bake": "10m",
    "gates": {
        "success_rate": {"min": "99%", "abort_below": "95%"},
        "error_rate": {"max": "1%", "abort_above": "5%"},
        "server_errors": {"max": "0.1%"},
        "latency_p50": {"max": "100ms"},
        "latency_p99": {"max": "500ms", "abort_above": "2s"},
    },
    "checks": {"window": "1m", "failures": 3},
}

PRESETS: Mapping[str, Mapping[str, Any]] = {"plan": PLAN}


def applied(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data with its preset filled in: what is written wins, mapping by mapping; lists are taken whole."""
    name = data.get("preset")
    preset = PRESETS.get(name) if isinstance(name, str) else None
    return data if preset is None else _merged(preset, data)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Mapping[str, Any]:
    result = dict(under)
    for key, value in over.items():
        below = under.get(key)
        result[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result

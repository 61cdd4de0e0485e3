"""Every key besides phases and gates: what it is, where that comes from, what a rehearsal makes of it.

Data only; `explain` hands it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serinus.policy.model import Policy
from serinus.policy.preset import PRESETS
from serinus.policy.settle import quicker
from serinus.policy.unit import show_percent, show_seconds
from serinus.release.plan import Plan, Target


@dataclass(frozen=True, slots=True)
class Setting:
    """One number or word of the policy.

    Args:
        key: dotted path
        value: as a person would write it
        origin: `written`, `preset plan` or `default`
        becomes: in the rehearsal; empty where it stays
    """

    key: str
    value: str
    origin: str
    becomes: str = ""


SETTINGS: Mapping[str, Callable[[Plan], str]] = {
    "workload.min_replicas": lambda plan: str(plan.min_replicas),
    "telemetry.source": lambda plan: plan.target.source,
    "bake": lambda plan: show_seconds(plan.bake.soak_seconds),
    "checks.interval": lambda plan: show_seconds(plan.checks.interval_seconds),
    "checks.window": lambda plan: show_seconds(plan.checks.window_seconds),
    "checks.scrape": lambda plan: show_seconds(plan.checks.scrape_seconds),
    "checks.failures": lambda plan: str(plan.checks.failures),
    "checks.min_requests": lambda plan: str(plan.checks.min_requests),
    "checks.guards": lambda plan: plan.checks.guards.value,
    "checks.burst": lambda plan: "auto" if plan.checks.burst is None else f"{plan.checks.burst:g}",
    "limits.bad_requests": lambda plan: "none" if plan.limits.bad_requests is None else str(plan.limits.bad_requests),
    "limits.duration": lambda plan: show_seconds(plan.limits.duration_seconds),
    "limits.extension": lambda plan: show_percent(plan.limits.extension * 100),
    "limits.rollback": lambda plan: show_seconds(plan.limits.rollback_seconds),
    "limits.no_traffic": lambda plan: show_seconds(plan.limits.no_traffic_seconds),
    "limits.metrics_down": lambda plan: show_seconds(plan.limits.metrics_down_seconds),
    "on.inconclusive": lambda plan: plan.on.inconclusive.value,
    "notify": lambda plan: ", ".join(plan.target.notify) or "nobody",
}
"""How each key besides phases and gates is shown; `checks.warm_up` is in no plan but in its gates."""


def settings(policy: Policy, written: Plan, plan: Plan) -> Iterator[Setting]:
    """A setting for each key; `written` is the plan without its rehearsal."""
    preset = PRESETS.get(policy.content.preset or "", {})
    named = {key: (name, name) for key, name in _names(plan.target)}
    for key, (before, after) in {**named, **_numbers(written, plan), "checks.warm_up": _warm_up(policy, plan)}.items():
        kept = f"preset {policy.content.preset}" if _stands(preset, key) else "default"
        origin = "written" if _stands(policy.given, key) else kept
        yield Setting(key, before, origin, after if after != before else "")


def _names(target: Target) -> Iterator[tuple[str, str]]:
    """What the objects are called; the local platform has none to name."""
    for key, name in target.workload_options.items():
        yield ("workload.image" if key == "image" else f"workload.{target.workload}.{key}"), name
    for key, name in target.router_options.items():
        yield f"router.{target.router}.{key}", name


def _numbers(written: Plan, plan: Plan) -> dict[str, tuple[str, str]]:
    return {key: (show(written), show(plan)) for key, show in SETTINGS.items()}


def _warm_up(policy: Policy, plan: Plan) -> tuple[str, str]:
    value = policy.content.checks.warm_up
    speed = policy.content.rehearsal.speed if policy.content.rehearsal else 1.0
    return show_seconds(value), show_seconds(quicker(value, speed, plan.checks.scrape_seconds))


def _stands(data: Mapping[str, Any], key: str) -> bool:
    here: Any = data
    for step in key.split("."):
        if not isinstance(here, Mapping) or step not in here:
            return False
        here = here[step]
    return True

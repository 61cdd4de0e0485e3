"""What a policy comes to for one release: every default resolved, a rehearsal applied.

The seam between what a user writes and what the rest works with; no key of the file is known beyond here.
"""

from __future__ import annotations

import re
from dataclasses import replace

from serinus.analysis.threshold import ERRORS, SERVER_ERRORS, Bound, Checks, Gates, QueryGate, RateGate, slow
from serinus.errors import PolicyError, Problem
from serinus.policy import gate as written
from serinus.policy import model, platform, query
from serinus.policy.unit import show_percent, show_seconds, shown
from serinus.release.plan import Limits, On, Phase, Plan
from serinus.release.weight import EVERYTHING, NOTHING, Weight

LONGEST_SECONDS = 3 * 3600.0
"""`limits.duration` where it is left out, unless twice the phases is longer."""
OWN_SCRAPE_SECONDS = 1.0
"""The local platform's own Prometheus."""
USUAL_SCRAPE_SECONDS = 15.0
VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,128}")
"""An image's tag or digest."""
LEAST_SCRAPES = 5
"""What a window, or a deadline on what is not seen, keeps of scrapes in a rehearsal."""


def to_plan(policy: model.Policy, version: str) -> Plan:
    """The release of that version, every number resolved.

    Raises:
        PolicyError: a version that is neither tag nor digest
    """
    plan = settled(policy.content, version)
    return rehearsed(plan, policy.content.rehearsal.speed) if policy.content.rehearsal else plan


def scrape_seconds(content: model.Content) -> float:
    """The scrape interval that the checks go by."""
    if content.checks.scrape is not None:
        return content.checks.scrape
    return OWN_SCRAPE_SECONDS if content.telemetry.prometheus is None else USUAL_SCRAPE_SECONDS


def planned_seconds(content: model.Content) -> float:
    """What the phases and the bake take when every check passes."""
    return sum(phase.soak for phase in content.phases) + content.bake


def settled(content: model.Content, version: str) -> Plan:
    """The plan as written, no rehearsal applied."""
    if not VERSION.fullmatch(version):
        problem = Problem(
            "version", f"{shown(version)} is no version", "write an image's tag or digest, such as v2 or sha256:..."
        )
        raise PolicyError(content.service, (problem,))
    return Plan(
        service=content.service,
        version=version,
        phases=tuple(_phase(content, phase) for phase in content.phases),
        bake=Phase(NOTHING, content.bake, _served_by_stable(gates(content, written.Gates()))),
        checks=_checks(content),
        limits=_limits(content),
        on=On(content.on.inconclusive),
        target=platform.target(content),
        min_replicas=content.workload.min_replicas,
    )


def _phase(content: model.Content, phase: model.Phase) -> Phase:
    """With everything, the canary has no stable beside it that queries could be compared with: these rest."""
    weight, asked = Weight.of(phase.weight), gates(content, phase.gates)
    if weight == EVERYTHING:
        asked = replace(asked, queries=tuple(one for one in asked.queries if query.STABLE not in one.query))
    return Phase(weight, phase.soak, asked)


def _served_by_stable(asked: Gates) -> Gates:
    """In the bake stable runs the new version: what was asked of the canary is asked of it, and there is nothing to compare."""
    queries = (
        replace(one, query=one.query.replace(query.CANARY, query.STABLE))
        for one in asked.queries
        if not (query.CANARY in one.query and query.STABLE in one.query)
    )
    return replace(asked, queries=tuple(queries))


def quicker(seconds: float, speed: float, least: float) -> float:
    """A duration in a rehearsal: divided, but not below `least`, and never longer than it was."""
    return min(seconds, max(seconds / speed, least))


def rehearsed(plan: Plan, speed: float) -> Plan:
    """The same release in less time; what protects a user (`rollback`) or comes from elsewhere (`scrape`) stays as it is."""
    scrape, least = plan.checks.scrape_seconds, LEAST_SCRAPES * plan.checks.scrape_seconds

    def faster(phase: Phase) -> Phase:
        rates = tuple(
            replace(gate, warm_up_seconds=quicker(gate.warm_up_seconds, speed, scrape)) for gate in phase.gates.rates
        )
        return replace(phase, soak_seconds=phase.soak_seconds / speed, gates=replace(phase.gates, rates=rates))

    checks, limits = plan.checks, plan.limits
    return replace(
        plan,
        phases=tuple(faster(phase) for phase in plan.phases),
        bake=faster(plan.bake),
        checks=replace(
            checks,
            interval_seconds=quicker(checks.interval_seconds, speed, scrape),
            window_seconds=quicker(checks.window_seconds, speed, least),
        ),
        limits=replace(
            limits,
            duration_seconds=limits.duration_seconds / speed,
            no_traffic_seconds=quicker(limits.no_traffic_seconds, speed, least),
            metrics_down_seconds=quicker(limits.metrics_down_seconds, speed, least),
        ),
    )


def gates(content: model.Content, own: written.Gates) -> Gates:
    """The gates of a phase that names `own`, as the analysis takes them."""
    general = {gate.name: gate.limit for gate in _rates(content, written.Gates())}
    rates = (
        replace(gate, slo=general.get(gate.name)) if gate.limit is not None and gate.limit.allowed == 0 else gate
        for gate in _rates(content, own)
    )
    queries = written.asked(content.gates, own).queries
    return Gates(tuple(rates), tuple(_query(gate) for gate in queries))


def _rates(content: model.Content, own: written.Gates) -> tuple[RateGate, ...]:
    rates = written.asked(content.gates, own).rates
    return tuple(_rate(name, limits, content.checks.warm_up) for name, limits in rates.items())


def _rate(name: str, limits: written.RateLimits, latency_warm_up: float) -> RateGate:
    if isinstance(limits, written.SuccessGate):
        limit = None if limits.min is None else _at_least(limits.min, "min")
        abort = None if limits.abort_below is None else _at_least(limits.abort_below, "abort below")
        return RateGate(name, limit, abort, limits.warm_up or 0.0)
    if isinstance(limits, written.LatencyGate):
        allowed = _fraction(100 - quantile(name))
        limit = None if limits.max is None else Bound(slow(limits.max), allowed, f"max {show_seconds(limits.max)}")
        edge = limits.abort_above
        abort = None if edge is None else Bound(slow(edge), allowed, f"abort above {show_seconds(edge)}")
        return RateGate(name, limit, abort, latency_warm_up if limits.warm_up is None else limits.warm_up)
    bad = SERVER_ERRORS if name == "server_errors" else ERRORS
    limit = None if limits.max is None else _at_most(bad, limits.max, "max")
    abort = None if limits.abort_above is None else _at_most(bad, limits.abort_above, "abort above")
    return RateGate(name, limit, abort, limits.warm_up or 0.0)


def quantile(name: str) -> float:
    """The percentile that a latency gate's name says: 99 for `latency_p99`."""
    return float(name.removeprefix("latency_p"))


def _fraction(percent: float) -> float:
    return round(percent / 100, 12)


def _at_most(bad: str, percent: float, word: str) -> Bound:
    return Bound(bad, _fraction(percent), f"{word} {show_percent(percent)}")


def _at_least(percent: float, word: str) -> Bound:
    return Bound(SERVER_ERRORS, _fraction(100 - percent), f"{word} {show_percent(percent)}")


def _query(gate: written.QueryGate) -> QueryGate:
    given = query.limits(gate)
    return QueryGate(
        name=gate.name,
        query=gate.query,
        maximum=given.get("max"),
        minimum=given.get("min"),
        abort_above=given.get("abort_above"),
        abort_below=given.get("abort_below"),
        unit=gate.unit,
    )


def _checks(content: model.Content) -> Checks:
    checks = content.checks
    return Checks(
        interval_seconds=checks.interval,
        scrape_seconds=scrape_seconds(content),
        window_seconds=checks.window,
        failures=checks.failures,
        min_requests=checks.min_requests,
        guards=checks.guards,
        burst=checks.burst,
    )


def _limits(content: model.Content) -> Limits:
    limits = content.limits
    longest = max(LONGEST_SECONDS, 2 * planned_seconds(content)) if limits.duration is None else limits.duration
    return Limits(
        bad_requests=limits.bad_requests,
        duration_seconds=longest,
        extension=_fraction(limits.extension),
        rollback_seconds=limits.rollback,
        no_traffic_seconds=limits.no_traffic,
        metrics_down_seconds=limits.metrics_down,
    )

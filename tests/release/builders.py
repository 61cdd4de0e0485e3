"""Releases in words: `a_release().at(10).soaked(8)`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from serinus.analysis.threshold import ERRORS, Bound, Checks, Gates, RateGate
from serinus.analysis.verdict import Judgement, Outcome, Verdict
from serinus.release.evidence import Head, Line, following
from serinus.release.lifecycle import asked
from serinus.release.plan import Inconclusive, Limits, On, Phase, Plan, Target
from serinus.release.record import Ask, Previous, Record, State, Verb
from serinus.release.weight import NOTHING, Weight

ERROR_RATE = RateGate("error_rate", Bound(ERRORS, 0.01, "max 1%"), Bound(ERRORS, 0.05, "abort above 5%"))
SPOTLESS = RateGate("error_rate", Bound(ERRORS, 0.0, "max 0%"), Bound(ERRORS, 0.05, "abort above 5%"))


def a_plan(
    *percents: float,
    soak: float = 8.0,
    bake: float = 8.0,
    inconclusive: Inconclusive = Inconclusive.ADVANCE,
    duration: float = 600.0,
    metrics_down: float = 5.0,
    no_traffic: float = 10.0,
    bad_requests: int | None = None,
    min_requests: int = 20,
) -> Plan:
    """Phases at these weights, the demo's numbers."""
    weights = percents or (5, 10, 25, 50, 100)
    gates = [Gates((SPOTLESS,))] + [Gates((ERROR_RATE,))] * (len(weights) - 1)
    return Plan(
        service="shop",
        version="v2",
        phases=tuple(Phase(Weight.of(p), soak, g) for p, g in zip(weights, gates, strict=True)),
        bake=Phase(NOTHING, bake, Gates((ERROR_RATE,))),
        checks=Checks(interval_seconds=1, scrape_seconds=1, window_seconds=5, min_requests=min_requests),
        limits=Limits(bad_requests, duration, 1.0, 10.0, no_traffic, metrics_down),
        on=On(inconclusive=inconclusive),
        target=Target("local", "envoy", "envoy"),
    )


def a_log(release: str, length: int = 5, **first: Any) -> list[Line]:
    """A release's evidence: its plan, checks, its end."""
    lines = [following(Head(), "2026-01-01T00:00:00Z", 0.0, "plan", {"release": release, "service": "shop", **first})]
    for number in range(1, length - 1):
        said = {"why": f"look {number}", "verdict": "PASS"}
        lines.append(following(lines[-1].head, "2026-01-01T00:00:00Z", float(number), "check", said))
    return [*lines, following(lines[-1].head, "2026-01-01T00:00:00Z", float(length), "end", {"outcome": "promoted"})]


@dataclass(frozen=True)
class Told:
    """A release being told."""

    record: Record = field(
        default_factory=lambda: Record("r1", 1, "me", a_plan(), Previous("v1", "v1", 3), state=State.PHASE)
    )

    def of(self, plan: Plan) -> Told:
        return Told(replace(self.record, plan=plan))

    def at(self, percent: float) -> Told:
        phases = [phase.weight for phase in self.record.plan.phases]
        return Told(replace(self.record, phase=phases.index(Weight.of(percent))))

    def baking(self) -> Told:
        return Told(replace(self.record, state=State.BAKING))

    def soaked(self, seconds: float) -> Told:
        return Told(replace(self.record, soaked_seconds=seconds, phase_seconds=max(seconds, self.record.phase_seconds)))

    def watched(self, seconds: float) -> Told:
        return Told(replace(self.record, phase_seconds=seconds))

    def holding(self, rule: str, since: float) -> Told:
        return Told(replace(self.record, held={rule: since}))

    def asked_to(self, verb: Verb, *, despite_gate: bool = False) -> Told:
        ask = Ask("1", verb, "ann", despite_gate=despite_gate)
        return Told(asked(replace(self.record, inbox=(*self.record.inbox, ask))))


def a_release() -> Told:
    return Told()


def a_verdict(outcome: Outcome, rule: str = "within limits", gate: str = "error_rate") -> Verdict:
    return Verdict((Judgement(outcome, gate, rule, f"{gate}: {rule}"),))


PASS = a_verdict(Outcome.PASS)
FAIL = a_verdict(Outcome.FAIL, "counted breach")
ABORT = a_verdict(Outcome.ABORT, "hard breach")


def a_hold(rule: str) -> Verdict:
    return a_verdict(Outcome.HOLD, rule)

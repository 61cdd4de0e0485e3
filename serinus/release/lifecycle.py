"""What follows from a check: pure, time passed in.

`observe` turns a verdict into soaked time and the clocks of holds; `next_action` says what is to be done. Neither does it
(`serinus.moves`), nor judges figures (`serinus.analysis`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from serinus.analysis.verdict import Judgement, Outcome, Verdict
from serinus.release.plan import Inconclusive, Phase, Plan
from serinus.release.record import Record, State, Verb

NO_ERRORS = "no errors"
TOO_FEW = "too-few-samples"


SLACK_INTERVALS = 0.25
"""A weight changes just after a scrape, checks come with scrapes: what lacks less than this is not worth another check."""


class Step(StrEnum):
    """What is to be done next."""

    HOLD = "hold"
    ADVANCE = "advance"
    PROMOTE = "promote"
    FINISH = "finish"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done next, and why.

    Args:
        why: one sentence for a person
        gate, rule: what decided, where a verdict did
    """

    step: Step
    why: str
    gate: str = ""
    rule: str = ""

    @property
    def ends(self) -> bool:
        """The traffic is to be returned."""
        return self.step is Step.ROLL_BACK


def soak_over(record: Record) -> bool:
    """The phase has been watched for as long as the plan asks."""
    missing = record.current.soak_seconds - record.soaked_seconds
    return missing <= SLACK_INTERVALS * record.plan.checks.interval_seconds


def extension_seconds(plan: Plan, phase: Phase) -> float:
    """How much longer than its soak a phase may take for want of samples: at least one window, or a short soak had none."""
    return max(phase.soak_seconds, plan.checks.window_seconds) * plan.limits.extension


def extension_over(record: Record) -> bool:
    """The phase has taken its soak and all of its extension since its weight was seen."""
    phase = record.current
    return record.phase_seconds >= phase.soak_seconds + extension_seconds(record.plan, phase)


def observe(record: Record, verdict: Verdict, seconds: float, now: float) -> Record:
    """The record after a check.

    Args:
        seconds: since the check before this one; at most two intervals of it count as soaked
        now: seconds since `starting`
    """
    counted = min(seconds, 2 * record.plan.checks.interval_seconds)
    soaks = verdict.outcome is Outcome.PASS and not record.paused
    return replace(
        record,
        soaked_seconds=record.soaked_seconds + (counted if soaks else 0.0),
        phase_seconds=record.phase_seconds + (0.0 if record.paused else seconds),
        held=_clocks(record.held, verdict.holds, now),
        elapsed_seconds=now,
    )


def _clocks(held: Mapping[str, float], holds: frozenset[str], now: float) -> dict[str, float]:
    """Each reason's clock starts at its first check and is cleared by the first check without it."""
    return {rule: held.get(rule, now) for rule in sorted(holds)}


def asked(record: Record) -> Record:
    """The record with its inbox taken in: each ask once, in the order in which they came."""
    for ask in record.inbox:
        if ask.verb is Verb.PAUSE:
            record = replace(record, paused=True)
        elif ask.verb is Verb.RESUME:
            record = replace(record, paused=False)
        elif ask.verb is Verb.PROMOTE and record.state in (State.STARTING, State.PHASE):
            record = replace(record, promote_asked=ask)
    return replace(record, inbox=tuple(a for a in record.inbox if a.verb is Verb.ABORT))


def next_action(record: Record, verdict: Verdict | None, now: float) -> Action:
    """What is to be done after this check.

    Args:
        record: as `observe` left it
        verdict: None between two checks
        now: seconds since `starting`
    """
    for ask in record.inbox:
        if ask.verb is Verb.ABORT:
            return Action(
                Step.ROLL_BACK, f"aborted by {ask.who}" + (f": {ask.why}" if ask.why else ""), "person", "abort"
            )
    if now >= record.plan.limits.duration_seconds:
        allowed = record.plan.limits.duration_seconds
        return Action(Step.ROLL_BACK, f"not done after {allowed:g} s", "deadline", "duration")
    if verdict is None:
        return Action(Step.HOLD, "waiting for a check")
    if verdict.outcome is Outcome.ABORT:
        return _because(Step.ROLL_BACK, verdict.reason)
    return _deadline(record, verdict, now) or _forward(record, verdict)


def _because(step: Step, reason: Judgement, after: str = "") -> Action:
    return Action(step, reason.why + after, reason.gate, reason.rule)


def _deadline(record: Record, verdict: Verdict, now: float) -> Action | None:
    """A hold that has lasted too long, if there is one."""
    for judgement in verdict.judgements:
        if judgement.outcome is not Outcome.HOLD or record.paused:
            continue
        lasted = now - record.held.get(judgement.rule, now)
        allowed = allowed_seconds(record.plan, judgement.rule)
        if allowed is not None and lasted >= allowed:
            return _because(Step.ROLL_BACK, judgement, f", for {lasted:.0f} s")
        if judgement.rule in (TOO_FEW, NO_ERRORS) and soak_over(record) and extension_over(record):
            return _inconclusive(record, judgement)
    return None


def allowed_seconds(plan: Plan, rule: str) -> float | None:
    """How long a hold of this rule may last; None where something else ends it."""
    if rule in ("metrics-down", "stale", "bad-query", "no-value"):
        return plan.limits.metrics_down_seconds
    if rule in ("no-traffic", "traffic-mismatch"):
        return plan.limits.no_traffic_seconds
    return None


def _inconclusive(record: Record, judgement: Judgement) -> Action | None:
    wish = record.plan.on.inconclusive
    if wish is Inconclusive.ABORT or (wish is Inconclusive.ADVANCE and judgement.rule == NO_ERRORS):
        return _because(Step.ROLL_BACK, judgement, "; the extension is spent")
    if wish is Inconclusive.ADVANCE:
        return _onward(record, judgement.why + "; advancing without")
    return None


def _forward(record: Record, verdict: Verdict) -> Action:
    passed = verdict.outcome is Outcome.PASS
    if record.promote_asked and record.state is State.PHASE and (passed or record.promote_asked.despite_gate):
        return Action(Step.PROMOTE, f"promoted by {record.promote_asked.who}" + _reason(record.promote_asked.why))
    if not passed:
        return _because(Step.HOLD, verdict.reason)
    if record.paused:
        return Action(Step.HOLD, "paused", "person", "paused")
    if not soak_over(record):
        left = record.current.soak_seconds - record.soaked_seconds
        return Action(Step.HOLD, f"{left:.0f} s of the soak left")
    return _onward(record, verdict.reason.why)


def _reason(why: str) -> str:
    return f": {why}" if why else ""


def _onward(record: Record, why: str) -> Action:
    if record.state is State.BAKING:
        return Action(Step.FINISH, why)
    if record.phase + 1 < len(record.plan.phases):
        return Action(Step.ADVANCE, why)
    return Action(Step.PROMOTE, why)

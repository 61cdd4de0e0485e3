"""Whether the version that serves everyone breaks a limit: there is nothing beside it to compare it with.

Only the abort limits end a release here; a limit that is passed holds it.
"""

from __future__ import annotations

from serinus.analysis import streak as streaks
from serinus.analysis.binomial import at_most, worse
from serinus.analysis.judging import (
    SURPRISING,
    UNEXPLAINED,
    UNLIKELY,
    Sample,
    Sight,
    beyond,
    effective,
    figures,
    said,
    sample,
)
from serinus.analysis.reading import Arm
from serinus.analysis.state import Beside, Streak
from serinus.analysis.threshold import Bound, RateGate
from serinus.analysis.verdict import Judgement, Outcome, Rule


def judge(gate: RateGate, sight: Sight, streak: Streak) -> tuple[list[Judgement], Streak]:
    """Every breach; nothing where there is none."""
    found: list[Judgement | None] = []
    if gate.abort is not None:
        found.append(_hard(gate, gate.abort, sight))
        counted, streak = _count(gate, gate.abort, sight, streak)
        found.append(counted)
    if gate.limit is not None and gate.general is not None:
        found.append(_passed(gate, gate.general, sight))
    return [judgement for judgement in found if judgement is not None], streak


def _hard(gate: RateGate, abort: Bound, sight: Sight) -> Judgement | None:
    """The window is over the limit, and it or its newest increment is so not by chance.

    What turned bad a moment ago serves everyone: until the good requests before it have left the window, users wait. While stable
    stands ready, and the return costs one weight, they do not wait either for the increment that will bring it over the limit.
    """
    found = sample(sight.judged(sight.seen), abort.bad)
    newest = sample(sight.judged(sight.window[-1].both), abort.bad) if sight.window else None
    if found is None or newest is None:
        return None
    limit = effective(abort, sight)
    sudden = beyond(newest, limit, SURPRISING, sight)
    if found.rate > limit and (sudden or beyond(found, limit, SURPRISING, sight)):
        bad, when = found, ""
    elif sudden and sight.setting.arm_served is Arm.CANARY and _next(found, newest, sight).rate > limit:
        bad = newest
        when = f" in the last {sight.window[-1].seconds:.3g} s; the next check like it breaks the window's limit"
    else:
        return None
    numbers = figures(gate, bad, None, limit, tail=sight.tail(bad, limit))
    return Judgement(Outcome.ABORT, gate.name, Rule.HARD, said(gate, abort, bad, limit) + when, numbers)


def _next(found: Sample, newest: Sample, sight: Sight) -> Sample:
    """The window after one more check as bad as the newest increment, which may be longer: after a scrape that failed."""
    part = min(1.0, sight.setting.checks.interval_seconds / sight.window[-1].seconds)
    return Sample(found.bad + part * newest.bad, found.of + part * newest.of)


def _count(gate: RateGate, abort: Bound, sight: Sight, streak: Streak) -> tuple[Judgement | None, Streak]:
    checks, limit = sight.setting.checks, effective(abort, sight)
    found = sample(sight.judged(sight.increment.both), abort.bad) or Sample()
    streak = streaks.grown(streak, sight.increment.seconds, found, Beside())
    if streaks.ripe(streak, checks, streaks.LEAST_REQUESTS):
        found = Sample(streak.bad, streak.of)
        over = found.rate > limit
        streak = streaks.failed(streak, said(gate, abort, found, limit)) if over else streaks.passed()
    return streaks.standing(streak, gate.name, Rule.COUNTED, checks, limit=limit), streak


def _passed(gate: RateGate, bound: Bound, sight: Sight) -> Judgement | None:
    found = sample(sight.judged(sight.seen), bound.bad) or Sample()
    before = sample(sight.state.own, bound.bad) or Sample()
    limit = effective(bound, sight)
    chance = worse(found.bad / sight.phi, found.of, before.bad / sight.phi, before.of, sight.ratio)
    if not beyond(found, limit, UNLIKELY, sight) or not at_most(chance, UNEXPLAINED):
        return None
    numbers = figures(gate, found, None, limit, tail=sight.tail(found, limit), chance=chance)
    why = f"{said(gate, bound, found, limit)}; nothing serves beside it, so only the abort limit ends the release"
    return Judgement(Outcome.HOLD, gate.name, Rule.BEYOND, why, numbers)

"""How disjoint windows are counted: each is closed once, and several failed ones in a row end a release.

A closed window that passes clears the count; one that cannot be judged leaves it.
"""

from __future__ import annotations

from dataclasses import replace

from serinus.analysis.judging import Sample
from serinus.analysis.state import Beside, Streak
from serinus.analysis.threshold import Checks
from serinus.analysis.verdict import Judgement, Outcome, Rule
from serinus.analysis.window import slack_seconds

LEAST_REQUESTS = 300.0
"""Of a window that is counted with the guards against chance."""


def grown(streak: Streak, seconds: float, found: Sample, beside: Beside) -> Streak:
    return replace(
        streak,
        seconds=streak.seconds + seconds,
        bad=streak.bad + found.bad,
        of=streak.of + found.of,
        beside=streak.beside + beside,
    )


def ripe(streak: Streak, checks: Checks, least: float) -> bool:
    """The window is as long as the policy's and holds enough requests."""
    return streak.seconds >= checks.window_seconds - slack_seconds(checks) and streak.of >= least


def passed() -> Streak:
    return Streak()


def unjudged(streak: Streak) -> Streak:
    return Streak(failures=streak.failures, why=streak.why)


def failed(streak: Streak, why: str) -> Streak:
    return Streak(failures=streak.failures + 1, why=why)


def standing(streak: Streak, gate: str, rule: Rule, checks: Checks, **numbers: float) -> Judgement | None:
    """What the failed windows say until one passes: FAIL, and ABORT when there are enough; None where none has failed."""
    if not streak.failures:
        return None
    outcome = Outcome.ABORT if streak.failures >= checks.failures else Outcome.FAIL
    why = f"{streak.why}, {streak.failures} of {checks.failures} failed windows in a row"
    return Judgement(outcome, gate, rule, why, {**numbers, "failures": float(streak.failures)})

"""What every rule judges by: bad requests of all requests, a limit that fits the service, and how to say it.

Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from serinus.analysis.binomial import at_most, tail
from serinus.analysis.increment import edge
from serinus.analysis.setting import Setting
from serinus.analysis.state import Beside, Both, Counts, GateState, Increment
from serinus.analysis.threshold import ERRORS, SERVER_ERRORS, Bound, RateGate

SURPRISING = 1e-4
"""Tail of a hard breach: less likely than this, were the service within its limit."""
UNLIKELY = 0.1
"""Tail of a counted breach, of which several in a row are needed."""
UNEXPLAINED = 0.01
"""Chance, were the canary as good as stable, below which stable does not explain it."""
_SLOW = "slow:"


@dataclass(frozen=True, slots=True)
class Sample:
    """So many bad ones of so many."""

    bad: float = 0.0
    of: float = 0.0

    @property
    def rate(self) -> float:
        return self.bad / self.of if self.of > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What one check has to judge.

    Args:
        state: with this increment in it
        window: the increments of the rolling window; for a gate with a warm-up without it
        seen: both arms in the window
        recent: stable in the rolling window, whatever the gate's own is
    """

    state: GateState
    increment: Increment
    window: tuple[Increment, ...]
    setting: Setting
    seen: Both
    recent: Counts

    @property
    def phi(self) -> float:
        return self.state.phi

    @property
    def ratio(self) -> float:
        return self.setting.checks.relative_limit

    def judged(self, both: Both) -> Counts:
        return both.of(self.setting.judged)

    def tail(self, sample: Sample, limit: float) -> float:
        return tail(sample.bad / self.phi, sample.of / self.phi, limit)


def sample(counts: Counts, bad: str, above: bool = True) -> Sample | None:
    """The bad ones of an arm; None where the histogram has no edge to count them by.

    Args:
        bad: `errors`, `server_errors` or `slow:<seconds>`
        above: where no edge lies on the seconds, the next above (fewer are slow: for what fails); else the next below
    """
    if bad == ERRORS:
        return Sample(counts.errors, max(counts.requests, counts.errors))
    if bad == SERVER_ERRORS:
        return Sample(counts.server_errors, max(counts.requests, counts.server_errors))
    seconds = edge(bad.removeprefix(_SLOW)) or 0.0
    edges = {at: text for text in counts.slow if (at := edge(text)) is not None}
    fits = [at for at in edges if (at >= seconds if above else at <= seconds)]
    if not fits:
        return None
    return Sample(counts.slow[edges[min(fits) if above else max(fits)]], counts.timed)


def is_latency(gate: RateGate) -> bool:
    return any(bound is not None and bound.bad.startswith(_SLOW) for bound in (gate.limit, gate.abort, gate.slo))


def effective(bound: Bound, sight: Sight) -> float:
    """The limit, or what stable has itself where it does not keep it: r0 times its rate.

    Stable's rate is that of the history read before the release (errors only), else that of the release so far.
    """
    if bound.bad == ERRORS and sight.state.past_requests > 0:
        usual = Sample(sight.state.past_errors, sight.state.past_requests)
    else:
        usual = _so_far(bound.bad, sight)
    return min(1.0, sight.ratio * usual.rate) if usual.rate > bound.allowed else bound.allowed


def _so_far(bad: str, sight: Sight) -> Sample:
    """Stable's, of the release so far, or before the window where that is better and no less: what happens now excuses nothing."""
    whole, before, window = (
        sample(counts, bad) or Sample() for counts in (sight.state.own, sight.state.kept, sight.recent)
    )
    if sight.setting.one_armed or not before.of or before.of < window.of:
        return whole
    return min(before, whole, key=lambda one: one.rate)


def beyond(found: Sample, limit: float, chance: float, sight: Sight) -> bool:
    """Over the limit, and not by chance."""
    return found.rate > limit and at_most(sight.tail(found, limit), chance)


def beside(increments: Iterable[Increment], bad: str, ratio: float, above: bool = True) -> Beside:
    """Stable's word on the canary's bad requests, increment by increment: a rate that moves for both arms cancels.

    Bad requests of an increment in which stable served none say nothing: all of them are expected.
    """
    found = Beside()
    for increment in increments:
        canary, stable = (sample(arm, bad, above) or Sample() for arm in (increment.canary, increment.stable))
        both = canary.bad + stable.bad
        weight = ratio * canary.of + stable.of
        part = ratio * canary.of / weight if stable.of > 0 else 1.0
        met = canary.of if stable.of > 0 else 0.0
        found += Beside(both, part * both, met * stable.rate, met)
    return found


def chance(found: Sample, other: Beside, phi: float) -> float:
    """How likely at least so many of both arms' bad requests are the canary's, were it as good as stable.

    Given each increment's sum the canary's part is binomial; the sum of these varies less than one binomial of the same mean.
    """
    if other.both <= 0:
        return 1.0
    return tail(found.bad / phi, other.both / phi, min(1.0, other.expected / other.both))


def percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"


def share(gate: RateGate, bad_fraction: float) -> str:
    """A share of bad requests in the gate's own words: where its limits are floors, the good ones, to the bad ones' last digit."""
    if not gate.floor:
        return percent(bad_fraction)
    return f"{100 - Decimal(f'{100 * bad_fraction:.3g}'):f} %"


def said(gate: RateGate, bound: Bound, found: Sample, limit: float, kept: bool = False) -> str:
    """`error_rate 31 % > 5 % (12 of 39)`, `success_rate 69 % < 95 % (27 of 39)`, `latency_p99 9 % over 500 ms > 1 % (4 of 44)`.

    Args:
        bound: what was counted
        limit: fraction of bad requests
        kept: the limit is kept, not broken
    """
    sign = (">=" if kept else "<") if gate.floor else ("<=" if kept else ">")
    counted = found.of - found.bad if gate.floor else found.bad
    seen = f"{share(gate, found.rate)}{_over(bound)}"
    return f"{gate.name} {seen} {sign} {share(gate, limit)} ({counted:.0f} of {found.of:.0f})"


def _over(bound: Bound) -> str:
    seconds = edge(bound.bad.removeprefix(_SLOW)) if bound.bad.startswith(_SLOW) else None
    if seconds is None:
        return ""
    return f" over {1000 * seconds:g} ms" if seconds < 1 else f" over {seconds:g} s"


_SHARES = ("rate", "limit", "abort", "stable_rate")


def figures(
    gate: RateGate, found: Sample, stable_rate: float | None, limit: float, **more: float
) -> Mapping[str, float]:
    """The numbers of a judgement; stable's only where it was asked. Shares are of good requests where the limits are floors."""
    stable = {} if stable_rate is None else {"stable_rate": stable_rate}
    numbers = {"bad": found.bad, "of": found.of, "rate": found.rate, "limit": limit, **stable, **more}
    if gate.floor:
        numbers |= {name: 1 - numbers[name] for name in _SHARES if name in numbers}
    return numbers

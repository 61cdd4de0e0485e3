"""What the gate remembers between two checks: persisted with the record, so that no increment counts twice.

Plain JSON-able parts only, and small: how they come about is `increment`'s, `window`'s and `gate`'s question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from serinus.analysis.reading import Arm


@dataclass(frozen=True, slots=True)
class Counts:
    """What one arm served in some span of time; differences of counters, so floats that are whole.

    Args:
        requests: completed
        errors: answered with 5xx, and those without an answer
        server_errors: answered with 5xx
        timed: requests that the latency histogram has seen
        slow: of the timed ones, those that took longer than the edge, by edge in seconds (`0.5`)
    """

    requests: float = 0.0
    errors: float = 0.0
    server_errors: float = 0.0
    timed: float = 0.0
    slow: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.requests + other.requests,
            self.errors + other.errors,
            self.server_errors + other.server_errors,
            self.timed + other.timed,
            _slow(self, other),
        )


def _slow(one: Counts, other: Counts) -> Mapping[str, float]:
    """An edge that one of the two has timed requests but no figure for is unknown in the sum: absent is not zero."""
    if not one.timed:
        return other.slow
    if not other.timed:
        return one.slow
    return {edge: one.slow[edge] + other.slow[edge] for edge in one.slow if edge in other.slow}


@dataclass(frozen=True, slots=True)
class Both:
    """The counts of both arms over the same span."""

    canary: Counts = field(default_factory=Counts)
    stable: Counts = field(default_factory=Counts)

    def __add__(self, other: Both) -> Both:
        return Both(self.canary + other.canary, self.stable + other.stable)

    def of(self, arm: Arm) -> Counts:
        return self.canary if arm is Arm.CANARY else self.stable


@dataclass(frozen=True, slots=True)
class Increment:
    """What happened between two samples; increments never overlap.

    Args:
        end: time of the newer sample on Prometheus' clock, seconds since the epoch
        seconds: since the end of the increment before
    """

    end: float
    seconds: float
    canary: Counts = field(default_factory=Counts)
    stable: Counts = field(default_factory=Counts)

    @property
    def start(self) -> float:
        return self.end - self.seconds

    @property
    def both(self) -> Both:
        return Both(self.canary, self.stable)

    def then(self, later: Increment) -> Increment:
        """This and the next one as one."""
        return Increment(
            later.end, self.seconds + later.seconds, self.canary + later.canary, self.stable + later.stable
        )


@dataclass(frozen=True, slots=True)
class Watermark:
    """Up to where one target's counters of one arm have been counted.

    Args:
        at: time of its newest counted sample
        values: the raw counters there, by figure
    """

    at: float
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Beside:
    """What stable says about the canary's bad requests, summed over increments, so that shares may change between them.

    Args:
        both: bad requests of both arms
        expected: how many of these would be the canary's, were its rate `relative_limit` times stable's
        explained: canary requests that would be bad at stable's rate
        met: canary requests that had stable ones beside them
    """

    both: float = 0.0
    expected: float = 0.0
    explained: float = 0.0
    met: float = 0.0

    def __add__(self, other: Beside) -> Beside:
        return Beside(
            self.both + other.both,
            self.expected + other.expected,
            self.explained + other.explained,
            self.met + other.met,
        )

    @property
    def rate(self) -> float:
        """Stable's, as the canary's requests met it."""
        return self.explained / self.met if self.met > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Streak:
    """One gate's disjoint window in the making, and how many in a row have failed.

    Args:
        seconds: of the window so far
        bad, of: the judged arm's bad requests of its requests in it
        beside: stable's in it
        failures: closed windows in a row that failed
        why: what the last failed one said
    """

    seconds: float = 0.0
    bad: float = 0.0
    of: float = 0.0
    beside: Beside = field(default_factory=Beside)
    failures: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class GateState:
    """Empty before `gate.begin`.

    Args:
        phi: burst factor, variance over mean, >= 1
        past_errors, past_requests: stable's, over the history that was read before the release; 0 where there is none
        end: end of the last increment (of the first reading, before there is one)
        marks: watermarks by `<arm>/<target>`
        blind: targets that were down when the release began: their first sample is where they start, not a birth
        window: increments inside the rolling window, the older ones merged
        latest: the increment of the last `judge`, None where it saw no newer sample: it is to be tallied once
        totals: of the release
        own: stable's counts while it served beside the canary
        kept: those of them that have left the window, without shared incidents: what stable itself keeps
        phase: since the weight was changed
        share: requests since the weight took effect, canary and stable
        excess: canary errors above what stable's rate in the same increments explains
        streaks: by gate
        held: gate and rule of every HOLD of the last check that saw something
    """

    phi: float = 1.0
    past_errors: float = 0.0
    past_requests: float = 0.0
    end: float = 0.0
    marks: Mapping[str, Watermark] = field(default_factory=dict)
    blind: tuple[str, ...] = ()
    window: tuple[Increment, ...] = ()
    latest: Increment | None = None
    totals: Both = field(default_factory=Both)
    own: Counts = field(default_factory=Counts)
    kept: Counts = field(default_factory=Counts)
    phase: Both = field(default_factory=Both)
    share: tuple[float, float] = (0.0, 0.0)
    excess: float = 0.0
    streaks: Mapping[str, Streak] = field(default_factory=dict)
    held: tuple[tuple[str, str], ...] = ()

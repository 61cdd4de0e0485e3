"""What is to be judged: the gates of one phase, as numbers.

Does not judge (`gate`), and does not know how a user writes them (`serinus.policy`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ERRORS = "errors"
"""Requests answered with 5xx, and those without an answer (refused, reset, timed out)."""
SERVER_ERRORS = "server_errors"
"""Requests answered with 5xx."""
SUCCESS_RATE = "success_rate"
"""The gate whose limits are floors: a least share of good requests."""


def slow(edge_seconds: float) -> str:
    """The name of the bad figure 'took longer than `edge_seconds`'."""
    return f"slow:{edge_seconds:g}"


class Guards(StrEnum):
    """Whether limits are applied with the guards against chance, or as plain numbers."""

    STRICT = "strict"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Bound:
    """At most `allowed` of the requests may be `bad`.

    Args:
        bad: `errors`, `server_errors` or `slow:<seconds>` (see `slow`)
        allowed: fraction of requests, 0 to 1. "P99 < 500 ms" is `slow:0.5` at most 0.01
        text: the limit as a person wrote it, such as `max 1%`, `min 99%`, `max 500ms`
    """

    bad: str
    allowed: float
    text: str


@dataclass(frozen=True, slots=True)
class RateGate:
    """A gate over counted requests.

    Args:
        name: its one name everywhere: `error_rate`, `success_rate`, `server_errors`, `latency_p50`, `latency_p99`
        limit: beyond it a window is a breach; allowed 0 means "none that stable does not have too"
        abort: beyond it, no further window is waited for
        slo: what the service keeps in general, where a phase's `limit` is 0 %; None: it is `limit`
        warm_up_seconds: how long after a weight change nothing is judged by this gate
    """

    name: str
    limit: Bound | None
    abort: Bound | None
    warm_up_seconds: float = 0.0
    slo: Bound | None = None

    @property
    def floor(self) -> bool:
        """Its limits were written as a least share of good requests, and its figures are said so."""
        return self.name == SUCCESS_RATE

    @property
    def general(self) -> Bound | None:
        """What breaches are measured against: never a phase's 0 %."""
        if self.slo is not None:
            return self.slo
        return self.limit if self.limit is not None and self.limit.allowed > 0 else self.abort


@dataclass(frozen=True, slots=True)
class QueryGate:
    """A gate over one number per check, asked in PromQL of the user's (a threshold metric).

    Args:
        name: its name everywhere
        query: PromQL; may hold `$canary` or `$stable`, label selectors of the source
        maximum, minimum: the limit; a window beyond it is a breach. Unit: the metric's
        abort_above, abort_below: beyond it, no further window is waited for
        unit: of the query's number, for people; empty where it has none
    """

    name: str
    query: str
    maximum: float | None = None
    minimum: float | None = None
    abort_above: float | None = None
    abort_below: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Gates:
    """Every gate of one phase."""

    rates: tuple[RateGate, ...] = ()
    queries: tuple[QueryGate, ...] = ()


@dataclass(frozen=True, slots=True)
class Checks:
    """How often and how carefully it is judged.

    Args:
        interval_seconds: between two checks; never shorter than a scrape
        scrape_seconds: Prometheus' scrape interval of the source
        window_seconds: the rolling window of every limit; at least two scrapes
        failures: disjoint failed windows in a row that end the release
        min_requests: canary requests that a phase waits for, beyond its soak as long as its extension lasts
        guards: `strict` (default) or `off`
        burst: variance over mean of stable's errors (phi, >= 1); None means: measured before the release (`burst: auto`)
        relative_limit: r0, what a canary may have of stable's own rate where stable does not keep a limit itself
    """

    interval_seconds: float
    scrape_seconds: float
    window_seconds: float
    failures: int = 3
    min_requests: int = 50
    guards: Guards = Guards.STRICT
    burst: float | None = 1.0
    relative_limit: float = 1.2

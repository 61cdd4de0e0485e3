"""What one look at the metrics brought: raw counters by target, as Prometheus holds them.

Nothing is differenced, summed or judged here; absent, NaN and zero stay three different things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

REQUESTS = "requests"
"""Completed requests."""
UNANSWERED = "unanswered"
"""Requests without any answer, where the source counts them apart from 5xx."""
TIMED = "timed"
"""Requests that the latency histogram has seen."""


def within(edge_seconds: float) -> str:
    """The name of the figure 'answered within `edge_seconds`' (a cumulative bucket)."""
    return f"within:{edge_seconds:g}"


class Arm(StrEnum):
    """Who served a request."""

    CANARY = "canary"
    STABLE = "stable"


@dataclass(frozen=True, slots=True)
class Counter:
    """One raw counter of one target.

    Args:
        arm: who served
        target: the process that counts; a reset belongs to one target
        figure: `requests`, `server_errors`, `unanswered`, `timed` or `within:<seconds>`
        value: count since the process started; NaN is kept as it came
        at: time of the sample on Prometheus' clock, seconds since the epoch
    """

    arm: Arm
    target: str
    figure: str
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer of the metrics.

    Args:
        now: Prometheus' own `time()`, seconds since the epoch
        counters: every counter of both arms
        targets: every target that Prometheus knows of the source: `up == 1` is True
        queries: answer of each threshold metric, by gate name: no value, one, or (wrongly) several
    """

    now: float
    counters: tuple[Counter, ...]
    targets: Mapping[str, bool] = field(default_factory=dict)
    queries: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outage:
    """The metrics could not be read at all.

    Args:
        why: one sentence: what did not answer, and how
    """

    why: str


@dataclass(frozen=True, slots=True)
class History:
    """Stable's own past, read once before a release starts.

    Args:
        errors, requests: per window of `window_seconds`, oldest first, (n_windows,) counts
        window_seconds: length of each window
    """

    errors: tuple[float, ...]
    requests: tuple[float, ...]
    window_seconds: float = 300.0

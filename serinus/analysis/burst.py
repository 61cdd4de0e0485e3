"""How much errors clump: the burst factor phi, by which counts are divided before a tail is taken."""

from __future__ import annotations

import math

from serinus.analysis.reading import History
from serinus.analysis.threshold import Checks

_LEAST_SECONDS = 2 * 3600.0
_MOST = 50.0
"""The clumpiest service that the rules were tried on has 35; an outage yesterday must not blind the gate today."""


def measured(history: History | None) -> float:
    """Variance over mean of stable's errors per window, as if traffic had been even; 1 to 50.

    Traffic that comes and goes with the day is no clumping: each window is compared with what its requests would bring.
    1 where there is no history, under two hours of it, or no error in it.
    """
    windows = [] if history is None else sound(history)
    if history is None or len(windows) * history.window_seconds < _LEAST_SECONDS:
        return 1.0
    errors, requests = sum(x for x, _ in windows), sum(n for _, n in windows)
    if errors <= 0:
        return 1.0
    expected = [errors * n / requests for _, n in windows]
    spread = sum((x - mean) ** 2 / mean for (x, _), mean in zip(windows, expected, strict=True))
    return min(_MOST, max(1.0, spread / (len(windows) - 1)))


def sound(history: History) -> list[tuple[float, float]]:
    """Errors and requests of the windows that have both, as numbers, and any request."""
    pairs = zip(history.errors, history.requests, strict=False)
    return [(x, n) for x, n in pairs if math.isfinite(x) and math.isfinite(n) and 0 <= x <= n and n > 0]


def factor(checks: Checks, history: History | None) -> float:
    """What the policy says, else what was measured; never under 1."""
    given = checks.burst
    return measured(history) if given is None else max(1.0, given)

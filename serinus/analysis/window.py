"""Which increments lie inside the rolling window.

Older ones are merged to twelfths of the window, so that what is stored does not grow with the number of checks.
"""

from __future__ import annotations

from serinus.analysis.state import Increment
from serinus.analysis.threshold import Checks

_PARTS = 12


def slack_seconds(checks: Checks) -> float:
    """Scrapes come a little early or late: five of them are a window of five scrapes all the same."""
    return checks.scrape_seconds / 4


def extend(window: tuple[Increment, ...], increment: Increment, checks: Checks) -> tuple[Increment, ...]:
    """The window that ends with `increment`: what lies wholly inside, and always the increment itself."""
    part = checks.window_seconds / _PARTS
    if window and window[-1].seconds + increment.seconds <= part + slack_seconds(checks) / _PARTS:
        grown = (*window[:-1], window[-1].then(increment))
    else:
        grown = (*window, increment)
    since = increment.end - checks.window_seconds - slack_seconds(checks)
    return (*(one for one in grown[:-1] if one.start >= since), grown[-1])


def left(before: tuple[Increment, ...], after: tuple[Increment, ...]) -> tuple[Increment, ...]:
    """What is no longer inside."""
    return tuple(one for one in before if one.start < after[0].start)


def since(window: tuple[Increment, ...], moment: float, checks: Checks) -> tuple[Increment, ...]:
    """The window's part that began at `moment` (Prometheus' clock) or later."""
    return tuple(one for one in window if one.start >= moment - slack_seconds(checks))

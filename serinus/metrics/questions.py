"""What is asked of Prometheus? PromQL in one breath, so that every figure of an answer is of one moment.

Each part of an answer says what it is in its label `figure`; `answers` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable

from serinus.analysis.reading import REQUESTS, Arm
from serinus.analysis.threshold import SERVER_ERRORS
from serinus.metrics.sources import EVERY_ARM, Source

WINDOW_SECONDS = 300.0
"""Of the history: errors that come in clumps do so within minutes."""


def everything(source: Source, edges_seconds: Iterable[float]) -> str:
    """Prometheus' time, the targets' `up`, and of each arm every figure and the time of its newest sample, by target."""
    edges = tuple(edges_seconds)
    parts = [_now(), _named("up", f"min by ({source.target}) ({source.up})")]
    for arm in EVERY_ARM:
        parts.append(_named(f"{arm} at", f"max by ({source.target}) (timestamp({source.requests(arm)}))"))
        parts.extend(_named(f"{arm} {figure}", source.figure(figure, arm)) for figure in source.counters)
        if edges and source.buckets:
            parts.append(_named(f"{arm} within", source.within(edges, arm)))
    return " or ".join(parts)


def freshness(source: Source) -> str:
    """Prometheus' time and that of the newest sample of either arm."""
    return " or ".join([_now(), *(_named(f"{arm} at", f"max(timestamp({source.requests(arm)}))") for arm in EVERY_ARM)])


def edges(source: Source) -> str:
    """How many series each bucket edge has, by `le`."""
    return f"count by (le) ({' or '.join(source.within((), arm) for arm in EVERY_ARM)})"


def shared(source: Source) -> str:
    """How many series belong to both arms at once."""
    canary, stable = (source.requests(arm) for arm in EVERY_ARM)
    return f"count({canary} and {stable})"


def served(source: Source, seconds: float) -> str:
    """How many requests stable has answered in the last `seconds`; a younger counter began at 0. Below 0 where one was reset."""
    counter = source.requests(Arm.STABLE)
    return f"sum({counter}) - (sum({counter} offset {seconds:.0f}s) or vector(0))"


def scrapes(source: Source, seconds: float) -> str:
    """Every scrape of the source's targets within the last `seconds`."""
    return f"{source.up}[{seconds:.0f}s]"


def history(source: Source) -> str:
    """Stable's requests and server errors in windows over the last day.

    Differences of counters and not `increase()`, which extrapolates. A target that was not there at both ends of a window, or
    was started anew within, does not count in it; one that has no errors yet has none.
    """
    requests = source.figure(REQUESTS, Arm.STABLE)
    errors = source.figure(SERVER_ERRORS, Arm.STABLE)
    before = f" offset {WINDOW_SECONDS:.0f}s)"
    earlier = requests[:-1] + before
    errors_now, errors_earlier = f"({errors} or {requests} * 0)", f"({errors[:-1] + before} or {earlier} * 0)"
    grown = f"({requests} - {earlier} >= 0)"
    both = " or ".join(
        (
            _named(REQUESTS, f"sum({grown})"),
            _named(SERVER_ERRORS, f"sum(({errors_now} - {errors_earlier} >= 0) and {grown})"),
        )
    )
    return f"({both})[1d:{WINDOW_SECONDS:.0f}s]"


def _now() -> str:
    return _named("now", "vector(time())")


def _named(figure: str, expression: str) -> str:
    return f'label_replace({expression},"figure","{figure}","","")'

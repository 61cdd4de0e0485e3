"""What did Prometheus answer? Its JSON as this project's values; absent, NaN and zero stay three things.

Judges nothing; what was asked is in `questions`. Every function raises KeyError, TypeError or ValueError where an answer has not
the form that Prometheus documents.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from serinus.analysis.reading import REQUESTS, TIMED, Arm, Counter, History, Reading, within
from serinus.analysis.threshold import SERVER_ERRORS
from serinus.metrics.sources import Source

T = TypeVar("T")
Labels = Mapping[str, str]
Parse = Callable[[Sequence[Any]], T]
"""How a result becomes a value."""


def samples(result: Sequence[Any]) -> int:
    """How many an answer holds: one a series of an instant vector, every one of a matrix."""
    return sum(len(series["values"]) if isinstance(series, dict) and "values" in series else 1 for series in result)


def vector(result: Sequence[Any]) -> tuple[tuple[Labels, float], ...]:
    """Labels and value of each series of an instant vector."""
    return tuple((dict(series["metric"]), float(series["value"][1])) for series in result)


def values(result: Sequence[Any]) -> tuple[float, ...]:
    """What a threshold metric answered: none, one or several values; a scalar is one."""
    if len(result) == 2 and not any(isinstance(part, dict) for part in result):
        return (float(result[1]),)
    return tuple(value for _, value in vector(result))


def reading(result: Sequence[Any], source: Source) -> Reading:
    """The answer to `questions.everything`; threshold metrics are asked apart."""
    now = math.nan
    targets: dict[str, bool] = {}
    at: dict[tuple[str, str], float] = {}
    counted: list[tuple[Arm, str, str, float]] = []
    for labels, value in vector(result):
        who, _, figure = labels.get("figure", "").partition(" ")
        target = labels.get(source.target, "")
        if who == "now":
            now = value
        elif who == "up":
            targets[target] = value == 1
        elif figure == "at":
            at[who, target] = value
        else:
            named = within(source.edge(labels["le"])) if figure == "within" else figure
            counted.append((Arm(who), target, named, value))
    if math.isnan(now):
        raise ValueError("without its own time")
    # Without the series of its requests an arm has no data at this target, whatever else is there.
    counters = (Counter(arm, where, what, n, at[arm, where]) for arm, where, what, n in counted if (arm, where) in at)
    return Reading(now, tuple(counters), targets)


def freshness(result: Sequence[Any]) -> tuple[float, dict[Arm, float]]:
    """Prometheus' time and that of each arm's newest sample, of those that have one."""
    told = {labels.get("figure", ""): value for labels, value in vector(result)}
    if "now" not in told:
        raise ValueError("without its own time")
    return told["now"], {arm: told[f"{arm} at"] for arm in Arm if f"{arm} at" in told}


def edges(result: Sequence[Any], source: Source) -> tuple[float, ...]:
    """The finite bucket edges that there are, seconds, ascending."""
    return tuple(sorted({source.edge(labels["le"]) for labels, _ in vector(result)}))


def around(wanted: float, there: Sequence[float]) -> tuple[float, ...]:
    """The edge that is meant, or else its neighbours on both sides, as far as there are any."""
    exact = [edge for edge in there if math.isclose(edge, wanted, rel_tol=1e-9)]
    if exact:
        return (exact[0],)
    above = bisect_left(there, wanted)
    return tuple(there[max(above - 1, 0) : above + 1])


def edges_complete(reading: Reading, asked: Iterable[float]) -> bool:
    """Whether each arm at each target that has timed requests has all of the buckets that were asked for."""
    wanted = {within(edge) for edge in asked}
    got: dict[tuple[Arm, str], set[str]] = {}
    for counter in reading.counters:
        got.setdefault((counter.arm, counter.target), set()).add(counter.figure)
    return all(wanted <= figures for figures in got.values() if TIMED in figures)


def history(result: Sequence[Any], window_seconds: float) -> History:
    """The answer to `questions.history`; windows without an answer are left out."""
    told: dict[str, dict[float, float]] = {}
    for series in result:
        told[series["metric"]["figure"]] = {float(when): float(value) for when, value in series["values"]}
    requests, errors = told.get(REQUESTS, {}), told.get(SERVER_ERRORS, {})
    whole = sorted(requests.keys() & errors.keys())
    return History(tuple(errors[when] for when in whole), tuple(requests[when] for when in whole), window_seconds)


def scrape_times(result: Sequence[Any]) -> tuple[tuple[float, ...], ...]:
    """The answer to `questions.scrapes`: when each target was scraped."""
    return tuple(tuple(float(when) for when, _ in series["values"]) for series in result)

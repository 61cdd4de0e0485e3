"""What happened since the last check, from raw counters: differences by target, summed only after that.

Does not judge. A sample is counted once: every target has a watermark, and only a newer sample moves it. Sources:
Prometheus' counter semantics (a fall is a restart); why not `increase()`: it extrapolates and loses first increments.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from serinus.analysis.reading import REQUESTS, TIMED, UNANSWERED, Arm, Counter, Reading
from serinus.analysis.state import Both, Counts, GateState, Increment, Watermark
from serinus.analysis.threshold import SERVER_ERRORS

WITHIN = "within:"
_MOST = 1e15
"""A counter or a time beyond it is no count: floats are not whole up there."""
_TOGETHER_SECONDS = 1e-3
"""Samples of one scrape bear the same time to the millisecond."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a reading added.

    Args:
        state: watermarks moved, nothing else changed
        increment: None where no sample is newer than what was counted
        faults: counters that cannot be used, a sentence each; their target's watermark stands still
    """

    state: GateState
    increment: Increment | None
    faults: tuple[str, ...]


def key(arm: Arm, target: str) -> str:
    return f"{arm.value}/{target}"


def samples(reading: Reading) -> tuple[dict[str, Watermark], tuple[str, ...]]:
    """The usable sample of each arm and target, and what is unusable.

    One bad figure makes its target's whole sample unusable: requests counted without their errors would be lost errors.
    A target without a request series has no sample. A figure older than its requests is of an earlier process.
    """
    seen: dict[str, dict[str, Counter]] = {}
    faults: dict[str, str] = {}
    for counter in reading.counters:
        name = key(counter.arm, counter.target)
        fault = _fault(counter)
        if fault is None and counter.figure in seen.get(name, {}):
            fault = "is there twice"
        if fault is not None:
            faults.setdefault(name, f"{counter.figure} of {counter.target} ({counter.arm.value}) {fault}")
        seen.setdefault(name, {})[counter.figure] = counter
    usable = {name: _sample(figures) for name, figures in seen.items() if name not in faults and REQUESTS in figures}
    return usable, tuple(faults.values())


def _sample(figures: Mapping[str, Counter]) -> Watermark:
    at = figures[REQUESTS].at
    return Watermark(at, {name: c.value for name, c in figures.items() if c.at >= at - _TOGETHER_SECONDS})


def _fault(counter: Counter) -> str | None:
    if math.isnan(counter.value):
        return "is NaN"
    if not 0 <= counter.value <= _MOST:
        return f"is {counter.value:g}, which no counter can be"
    if not 0 <= counter.at <= _MOST:
        return f"has the time {counter.at:g}"
    if counter.figure.startswith(WITHIN):
        return None if edge(counter.figure.removeprefix(WITHIN)) is not None else "has no edge in seconds"
    return None if counter.figure in (REQUESTS, SERVER_ERRORS, UNANSWERED, TIMED) else "is no figure of a gate"


def edge(text: str) -> float | None:
    """A bucket's edge in seconds; None where the text is none."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if seconds > 0 else None


def start(reading: Reading) -> GateState:
    """Watermarks at what is there now. A target that is down or unreadable now is no birth when it comes back."""
    usable, _ = samples(reading)
    known = {counter.target for counter in reading.counters} - {name.partition("/")[2] for name in usable}
    down = {target for target, up in reading.targets.items() if not up}
    end = max((sample.at for sample in usable.values()), default=reading.now)
    return GateState(
        end=end if math.isfinite(end) and abs(end) <= _MOST else 0.0, marks=usable, blind=tuple(sorted(known | down))
    )


def take(state: GateState, reading: Reading) -> Taken:
    """What the reading holds beyond the watermarks.

    Where no sample is newer than the last increment's end nothing is taken, late samples of single targets neither: they
    come with the next increment, so that ends rise and nothing is lost.
    """
    usable, faults = samples(reading)
    fresh = {n: s for n, s in usable.items() if n not in state.marks or s.at > state.marks[n].at}
    end = max((sample.at for sample in fresh.values()), default=state.end)
    if end <= state.end:
        return Taken(state, None, faults)
    restarted = {n.partition("/")[2] for n, s in fresh.items() if n in state.marks and _fell(state.marks[n], s)}
    marks = {
        name: Watermark(mark.at) if name.partition("/")[2] in restarted else mark for name, mark in state.marks.items()
    }
    arms = {Arm.CANARY: Counts(), Arm.STABLE: Counts()}
    for name, sample in fresh.items():
        arm, _, target = name.partition("/")
        first_sight = name not in marks
        before = sample.values if first_sight and target in state.blind else marks.get(name, Watermark(0.0)).values
        arms[Arm(arm)] += _counts(_deltas(before, sample.values))
        marks[name] = Watermark(sample.at, {**before, **sample.values})
    seen = {name.partition("/")[2] for name in fresh}
    moved = replace(state, end=end, marks=marks, blind=tuple(t for t in state.blind if t not in seen))
    return Taken(moved, Increment(end, end - state.end, arms[Arm.CANARY], arms[Arm.STABLE]), faults)


def _fell(mark: Watermark, sample: Watermark) -> bool:
    """The process began anew: then everything it counts did, also what has grown past its old value since."""
    return sample.values[REQUESTS] < mark.values.get(REQUESTS, 0.0)


def _deltas(before: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
    return {
        figure: value - before.get(figure, 0.0) if value >= before.get(figure, 0.0) else value
        for figure, value in values.items()
    }


def _counts(deltas: Mapping[str, float]) -> Counts:
    timed = deltas.get(TIMED, 0.0)
    server_errors = deltas.get(SERVER_ERRORS, 0.0)
    return Counts(
        requests=deltas.get(REQUESTS, 0.0),
        errors=server_errors + deltas.get(UNANSWERED, 0.0),
        server_errors=server_errors,
        timed=timed,
        slow={
            figure.removeprefix(WITHIN): min(timed, max(0.0, timed - answered))
            for figure, answered in deltas.items()
            if figure.startswith(WITHIN)
        },
    )


def total(increments: Iterable[Increment]) -> Both:
    """The sum of both arms."""
    return sum((increment.both for increment in increments), Both())

"""Differences by target: restarts, births, late and unusable samples; nothing counted twice, nothing lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.analysis.increment import Taken, start, take
from serinus.analysis.reading import REQUESTS, TIMED, UNANSWERED, Arm, Counter, Reading, within
from serinus.analysis.state import Both, GateState, Increment
from serinus.analysis.threshold import SERVER_ERRORS
from tests.analysis.builders import T0, Service


def counter(value: float, at: float, figure: str = REQUESTS, target: str = "a", arm: Arm = Arm.CANARY) -> Counter:
    return Counter(arm, target, figure, value, T0 + at)


def reading(*counters: Counter, at: float | None = None, up: Sequence[str] = (), down: Sequence[str] = ()) -> Reading:
    newest = max((c.at for c in counters), default=T0) if at is None else T0 + at
    return Reading(newest, counters, {**dict.fromkeys(up, True), **dict.fromkeys(down, False)})


def taken(*readings: Reading) -> Increment:
    """The increment between the last two of them."""
    state, last = start(readings[0]), None
    for one in readings[1:]:
        step = take(state, one)
        state, last = step.state, step.increment
    assert last is not None
    return last


def test_what_was_there_before_the_release_is_not_counted() -> None:
    found = taken(reading(counter(1000, 0)), reading(counter(1007, 1)))
    assert (found.canary.requests, found.seconds, found.end) == (7, 1, T0 + 1)


def test_a_fall_is_a_restart_and_counts_from_0() -> None:
    assert taken(reading(counter(1000, 0)), reading(counter(7, 1))).canary.requests == 7


def test_a_restart_belongs_to_the_process_with_all_its_counters() -> None:
    before = reading(counter(1000, 0), counter(50, 0, arm=Arm.STABLE), counter(3, 0, SERVER_ERRORS))
    after = reading(counter(10, 1), counter(60, 1, arm=Arm.STABLE), counter(4, 1, SERVER_ERRORS))
    found = taken(before, after)
    assert (found.canary.requests, found.stable.requests, found.canary.errors) == (10, 60, 4)


def test_a_target_born_after_the_beginning_counts_from_0() -> None:
    found = taken(reading(counter(10, 0)), reading(counter(10, 1), counter(4, 1, target="b")))
    assert found.canary.requests == 4


def test_a_series_born_after_the_beginning_counts_from_0() -> None:
    found = taken(reading(counter(10, 0)), reading(counter(20, 1), counter(3, 1, SERVER_ERRORS)))
    assert found.canary.server_errors == 3


def test_a_target_that_was_down_at_the_beginning_is_no_birth() -> None:
    first = reading(counter(10, 0), down=["b"])
    back = reading(counter(12, 1), counter(9000, 1, target="b"))
    assert taken(first, back).canary.requests == 2
    assert taken(first, back, reading(counter(12, 2), counter(9005, 2, target="b"))).canary.requests == 5


def test_an_absent_error_series_beside_requests_is_no_error() -> None:
    assert taken(reading(counter(10, 0)), reading(counter(20, 1))).canary.errors == 0


def test_an_error_series_that_was_missed_once_is_not_counted_again() -> None:
    with_errors = reading(counter(10, 0), counter(5, 0, SERVER_ERRORS))
    found = taken(with_errors, reading(counter(20, 1)), reading(counter(30, 2), counter(6, 2, SERVER_ERRORS)))
    assert found.canary.errors == 1


def test_an_error_series_older_than_its_requests_is_of_an_earlier_process() -> None:
    first = reading(counter(100, 0), counter(50, 0, SERVER_ERRORS))
    found = taken(first, reading(counter(7, 10), counter(50, 0, SERVER_ERRORS)))
    assert (found.canary.requests, found.canary.errors) == (7, 0)


def test_errors_are_those_with_5xx_and_those_without_an_answer() -> None:
    found = taken(
        reading(counter(0, 0)), reading(counter(9, 1), counter(2, 1, SERVER_ERRORS), counter(3, 1, UNANSWERED))
    )
    assert (found.canary.errors, found.canary.server_errors) == (5, 2)


def test_slow_requests_are_the_timed_ones_that_no_bucket_holds() -> None:
    after = reading(counter(10, 1), counter(9, 1, TIMED), counter(6, 1, within(0.5)), counter(9, 1, within(2.0)))
    assert taken(reading(counter(0, 0)), after).canary.slow == {"0.5": 3, "2": 0}


def test_an_edge_that_one_target_lacks_is_unknown_not_zero() -> None:
    after = reading(
        counter(10, 1),
        counter(10, 1, TIMED),
        counter(10, 1, within(0.5)),
        counter(5, 1, target="b"),
        counter(5, 1, TIMED, "b"),
    )
    found = taken(reading(counter(0, 0)), after)
    assert (found.canary.timed, found.canary.slow) == (15, {})


def test_without_a_newer_sample_nothing_is_taken() -> None:
    state = start(reading(counter(10, 0)))
    assert take(state, reading(counter(10, 0), at=0.5)) == Taken(state, None, ())


def test_a_sample_that_comes_late_is_counted_with_the_next_increment() -> None:
    state = start(reading(counter(10, 0), counter(10, 0, target="b")))
    state = take(state, reading(counter(11, 2), counter(10, 0, target="b"))).state
    late = take(state, reading(counter(11, 2), counter(15, 1, target="b")))
    assert late.increment is None
    found = take(late.state, reading(counter(12, 3), counter(16, 3, target="b"))).increment
    assert found is not None
    assert (found.canary.requests, found.seconds) == (7, 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 1e300])
def test_one_bad_figure_makes_its_targets_sample_unusable_and_loses_nothing(value: float) -> None:
    state = start(reading(counter(10, 0), counter(10, 0, target="b")))
    step = take(state, reading(counter(15, 1), counter(value, 1, SERVER_ERRORS), counter(11, 1, target="b")))
    assert step.increment is not None
    assert step.increment.canary.requests == 1
    assert "server_errors of a (canary)" in step.faults[0]
    found = take(
        step.state, reading(counter(20, 2), counter(4, 2, SERVER_ERRORS), counter(11, 2, target="b"))
    ).increment
    assert found is not None
    assert (found.canary.requests, found.canary.errors) == (10, 4)


def test_a_series_that_is_there_twice_is_named() -> None:
    faults = take(start(reading()), reading(counter(1, 1), counter(2, 1))).faults
    assert faults == ("requests of a (canary) is there twice",)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.integers(0, 50),
            st.integers(0, 5),
            st.sampled_from(["goes on", "restarts", "is not scraped"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_sums_are_conserved_and_increments_never_overlap(steps: list[tuple[str, int, int, str]]) -> None:
    """Whatever is served between two scrapes of a process is in exactly one increment."""
    raw = {target: [0.0, 0.0] for target in "abc"}
    at = dict.fromkeys("abc", 0.0)

    def look() -> Reading:
        pairs = [(t, f, v) for t, values in raw.items() for f, v in zip((REQUESTS, SERVER_ERRORS), values, strict=True)]
        return reading(*(counter(value, at[target], figure, target) for target, figure, value in pairs))

    state, served, failed, counted = start(look()), 0, 0, GateState().totals
    end = state.end
    for moment, (target, requests, errors, what) in enumerate(steps, start=1):
        if what == "restarts":
            # Scraped just before and just after: what a process counts unseen dies with it.
            for values, part in ((raw[target], 0.1), ([0.0, 0.0], 0.2)):
                raw[target], at[target] = values, moment + part
                state, end, counted = _look(state, look(), end, counted)
        raw[target][0] += requests
        raw[target][1] += min(requests, errors)
        served, failed = served + requests, failed + min(requests, errors)
        if what != "is not scraped":
            at[target] = moment + 0.5
            state, end, counted = _look(state, look(), end, counted)
    at = dict.fromkeys("abc", len(steps) + 1.0)
    state, end, counted = _look(state, look(), end, counted)
    assert (counted.canary.requests, counted.canary.errors) == (served, failed)


def _look(state: GateState, seen: Reading, end: float, counted: Both) -> tuple[GateState, float, Both]:
    step = take(state, seen)
    for name, mark in step.state.marks.items():
        assert mark.at >= state.marks[name].at
    if step.increment is None:
        return step.state, end, counted
    assert step.increment.end > end
    assert step.increment.start == pytest.approx(end, abs=1e-6)
    return step.state, step.increment.end, counted + step.increment.both


def test_one_process_that_serves_both_arms_is_counted_for_both_at_once() -> None:
    service = Service().stable(1000, 1)
    state = start(service.scraped())
    found = take(state, service.after(1).canary(10, 2).stable(190, 1).scraped()).increment
    assert found is not None
    assert (found.canary.requests, found.canary.errors) == (10, 2)
    assert (found.stable.requests, found.stable.errors) == (190, 1)
    assert found == replace(found, end=T0 + 1, seconds=1.0)

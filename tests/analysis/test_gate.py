"""The gate as a whole: it never raises, its state survives the record and stays small."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from serinus.analysis import gate
from serinus.analysis.reading import REQUESTS, TIMED, UNANSWERED, Arm, Counter, History, Outage, Reading, within
from serinus.analysis.state import GateState
from serinus.analysis.threshold import SERVER_ERRORS, Gates, QueryGate
from serinus.analysis.verdict import Outcome
from tests.analysis.builders import FIRST, PLAN, T0, Service, at, every_second, literally, watching

STATE = TypeAdapter(GateState)
QUEUE = QueryGate("queue", "q", maximum=1.0, minimum=0.0, abort_above=5.0, abort_below=-5.0)
numbers = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(0, 1000).map(float),
    st.sampled_from([T0, T0 + 1, T0 + 2]),
)
figures = st.sampled_from(
    [
        REQUESTS,
        SERVER_ERRORS,
        UNANSWERED,
        TIMED,
        within(0.1),
        within(0.5),
        within(2.0),
        "within:x",
        "within:nan",
        "",
        "other",
    ]
)
counters = st.builds(Counter, st.sampled_from(Arm), st.sampled_from(["a", "b", "c/d", ""]), figures, numbers, numbers)
readings = st.builds(
    Reading,
    numbers,
    st.lists(counters, max_size=20).map(tuple),
    st.dictionaries(st.sampled_from(["a", "b", "c/d", ""]), st.booleans()),
    st.dictionaries(st.just("queue"), st.lists(numbers, max_size=2).map(tuple)),
)
settings_ = st.builds(
    lambda weight, gates, literal, arm, over, spent, seconds, advances: gate.Setting(
        Gates(gates.rates, (QUEUE,)),
        literally(every_second()) if literal else every_second(),
        weight,
        arm,
        over,
        spent,
        seconds,
        (),
        5,
        advances,
    ),
    st.sampled_from([None, 0.0, 0.05, 0.5, 1.0]),
    st.sampled_from([PLAN, FIRST]),
    st.booleans(),
    st.sampled_from(Arm),
    st.booleans(),
    st.booleans(),
    st.floats(0, 100),
    st.booleans(),
)
histories = st.one_of(
    st.none(), st.builds(History, st.lists(numbers, max_size=30).map(tuple), st.lists(numbers, max_size=30).map(tuple))
)


@settings(max_examples=150, deadline=None)
@given(readings, histories, st.lists(st.tuples(st.one_of(readings, st.just(Outage("gone"))), settings_), max_size=6))
def test_no_reading_makes_it_raise_and_its_state_survives_the_record(
    first: Reading, past: History | None, checks: list[tuple[Reading | Outage, gate.Setting]]
) -> None:
    state = gate.begin(first, every_second(burst=None), past)
    for reading, setting in checks:
        end = state.end
        state, verdict = gate.judge(state, reading, setting)
        assert verdict.judgements
        assert (state.end > end) == (state.latest is not None)
        assert STATE.validate_json(STATE.dump_json(state)) == state
        assert all(math.isfinite(value) for one in verdict.judgements for value in one.figures.values())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200), st.integers(0, 20)), max_size=15)
)
def test_a_release_that_is_stored_at_every_check_goes_on_as_if_it_had_not(
    increments: list[tuple[int, int, int, int]],
) -> None:
    service = Service().stable(1000)
    kept, stored = watching(service, at(20)), watching(service, at(20))
    for canary, errors, stable, stable_errors in increments:
        seen = service.after(1).canary(canary, min(canary, errors)).stable(stable, min(stable, stable_errors)).scraped()
        stored.state = STATE.validate_json(STATE.dump_json(stored.state))
        assert kept.sees(seen) == stored.sees(seen)
    assert kept.state == stored.state


def test_a_retried_check_counts_nothing_twice() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(50))
    seen = service.after(1).canary(100, 1).stable(100).scraped()
    watch.sees(seen)
    totals = watch.state.totals
    watch.sees(seen)
    assert watch.state.totals == totals


def test_a_minute_of_checks_every_second_stays_small() -> None:
    checks = every_second(window_seconds=60.0)
    service = Service(at=T0 + 0.123).stable(1_000_000)
    watch = watching(service, at(25, PLAN, checks))
    for _ in range(200):
        watch.sees(service.after(1.0007).canary(250, 9, slow=12).stable(750, 1, slow=30).scraped())
    assert len(STATE.dump_json(watch.state)) < 6 * 1024
    inside = sum(increment.seconds for increment in watch.state.window)
    assert 54 <= inside <= 61


def test_before_anything_is_judged_only_watermarks_and_the_burst_factor_are_there() -> None:
    service = Service().stable(1000, 5)
    state = gate.begin(service.scraped(), every_second(burst=None), History((10.0,) * 30, (1000.0,) * 30))
    assert (state.phi, state.past_errors, state.past_requests) == (1.0, 300.0, 30_000.0)
    assert (state.latest, state.totals, set(state.marks)) == (None, GateState().totals, {"stable/envoy"})


def test_an_empty_plan_passes_on_traffic_alone() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(50, Gates()))
    assert watch.sees(service.after(1).canary(100).stable(100).scraped()).outcome is Outcome.PASS

"""What follows from a check."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.analysis.verdict import Outcome, Verdict
from serinus.release.lifecycle import SLACK_INTERVALS, Step, asked, next_action, observe
from serinus.release.plan import Inconclusive
from serinus.release.record import Ask, State, Verb
from tests.release.builders import ABORT, FAIL, PASS, a_hold, a_plan, a_release, a_verdict


def test_a_soak_that_is_not_over_holds() -> None:
    assert next_action(a_release().at(5).soaked(7).record, PASS, 10).step is Step.HOLD


def test_a_soak_that_is_over_advances_on_a_pass() -> None:
    assert next_action(a_release().at(5).soaked(8).record, PASS, 10).step is Step.ADVANCE


def test_a_soak_is_not_held_a_whole_check_longer_for_the_moment_between_scrape_and_weight() -> None:
    assert next_action(a_release().at(5).soaked(7.8).record, PASS, 10).step is Step.ADVANCE
    assert next_action(a_release().at(5).soaked(7.7).record, PASS, 10).step is Step.HOLD


@pytest.mark.parametrize("verdict", [FAIL, a_hold("shared-incident")])
def test_nothing_advances_without_a_pass(verdict: Verdict) -> None:
    assert next_action(a_release().at(5).soaked(8).record, verdict, 10).step is Step.HOLD


def test_the_last_phase_promotes() -> None:
    assert next_action(a_release().at(100).soaked(8).record, PASS, 10).step is Step.PROMOTE


def test_the_bake_finishes() -> None:
    assert next_action(a_release().baking().soaked(8).record, PASS, 10).step is Step.FINISH


def test_an_abort_rolls_back_with_its_reason() -> None:
    action = next_action(a_release().at(25).record, ABORT, 10)
    assert (action.step, action.gate, action.rule) == (Step.ROLL_BACK, "error_rate", "hard breach")


def test_only_a_pass_soaks_and_two_intervals_at_most() -> None:
    record = a_release().at(5).record
    assert observe(record, PASS, 1, 1).soaked_seconds == 1
    assert observe(record, PASS, 60, 60).soaked_seconds == 2
    assert observe(record, FAIL, 1, 1).soaked_seconds == 0
    assert observe(record, a_hold("stale"), 1, 1).soaked_seconds == 0


def test_a_pause_keeps_the_checks_and_stops_the_soak() -> None:
    paused = a_release().at(5).asked_to(Verb.PAUSE)
    assert observe(paused.record, PASS, 1, 1).soaked_seconds == 0
    assert next_action(paused.soaked(8).record, PASS, 10).why == "paused"
    assert next_action(paused.record, ABORT, 10).ends
    assert next_action(paused.asked_to(Verb.RESUME).soaked(8).record, PASS, 10).step is Step.ADVANCE


def test_each_hold_has_its_own_clock_cleared_by_the_first_check_without_it() -> None:
    record = observe(a_release().record, a_hold("stale"), 1, now=3)
    assert record.held == {"stale": 3}
    assert observe(record, a_hold("stale"), 1, now=4).held == {"stale": 3}
    assert observe(record, a_hold("no-traffic"), 1, now=4).held == {"no-traffic": 4}
    assert observe(record, PASS, 1, now=4).held == {}


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [("metrics-down", 5), ("stale", 5), ("bad-query", 5), ("no-traffic", 10), ("traffic-mismatch", 10)],
)
def test_a_hold_past_its_deadline_rolls_back(rule: str, allowed: float) -> None:
    holding = a_release().at(10).holding(rule, since=20).record
    assert next_action(holding, a_hold(rule), 20 + allowed - 0.1).step is Step.HOLD
    assert next_action(holding, a_hold(rule), 20 + allowed).ends


def test_a_shared_incident_lasts_as_long_as_the_release_may() -> None:
    holding = a_release().at(10).holding("shared-incident", since=0).record
    assert next_action(holding, a_hold("shared-incident"), 599).step is Step.HOLD
    assert next_action(holding, a_hold("shared-incident"), 600).rule == "duration"


@pytest.mark.parametrize(
    ("wish", "step"),
    [
        (Inconclusive.ADVANCE, Step.ADVANCE),
        (Inconclusive.HOLD, Step.HOLD),
        (Inconclusive.ABORT, Step.ROLL_BACK),
    ],
)
def test_too_few_samples_end_as_the_policy_says_once_the_extension_is_spent(wish: Inconclusive, step: Step) -> None:
    few = a_release().of(a_plan(inconclusive=wish)).at(10).soaked(8)
    assert next_action(few.watched(15).record, a_hold("too-few-samples"), 20).step is Step.HOLD
    assert next_action(few.watched(16).record, a_hold("too-few-samples"), 20).step is step


def test_errors_that_stable_has_not_are_never_advanced_over() -> None:
    doubtful = a_release().at(5).soaked(8).watched(16).record
    assert next_action(doubtful, a_hold("no errors"), 20).ends


def test_promote_ends_the_phases_at_the_next_pass_but_never_after_an_abort() -> None:
    wanted = a_release().at(5).asked_to(Verb.PROMOTE)
    assert next_action(wanted.record, PASS, 1).step is Step.PROMOTE
    assert next_action(wanted.record, FAIL, 1).step is Step.HOLD
    despite = a_release().at(5).asked_to(Verb.PROMOTE, despite_gate=True)
    assert next_action(despite.record, FAIL, 1).step is Step.PROMOTE
    assert next_action(despite.record, ABORT, 1).ends


VERDICTS = st.builds(
    a_verdict,
    st.sampled_from(Outcome),
    st.sampled_from(["within limits", "stale", "no-traffic", "too-few-samples", "no errors", "shared-incident"]),
)
STATES = st.sampled_from([State.STARTING, State.PHASE, State.PROMOTING, State.BAKING])


@given(
    state=STATES,
    phase=st.integers(0, 4),
    soaked=st.floats(0, 100),
    now=st.floats(0, 1000),
    verdict=st.none() | VERDICTS,
    paused=st.booleans(),
)
def test_from_every_state_an_abort_reaches_stable(
    state: State, phase: int, soaked: float, now: float, verdict: Verdict | None, paused: bool
) -> None:
    record = replace(a_release().record, state=state, phase=phase, soaked_seconds=soaked, paused=paused)
    wanted = replace(record, inbox=(Ask("1", Verb.ABORT, "ann"),))
    assert next_action(asked(wanted), verdict, now).ends
    assert next_action(record, ABORT, now).ends


@given(st.lists(st.tuples(VERDICTS, st.floats(0.1, 5)), max_size=60))
def test_no_order_of_verdicts_advances_without_a_whole_soak(events: list[tuple[Verdict, float]]) -> None:
    record, now, passed = a_release().at(5).record, 0.0, 0.0
    for verdict, seconds in events:
        now += seconds
        record = observe(record, verdict, seconds, now)
        passed += min(seconds, 2) if verdict.outcome is Outcome.PASS else 0
        action = next_action(record, verdict, now)
        if action.step is Step.ADVANCE and verdict.outcome is Outcome.PASS:
            assert passed >= record.current.soak_seconds - SLACK_INTERVALS - 1e-9
        if verdict.outcome is Outcome.ABORT:
            assert action.ends

"""One moment of a release, and which changes are worth a line."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from rich.console import Console

from serinus.analysis.state import Both, Counts
from serinus.cli.changes import changes
from serinus.cli.glance import PATIENT_LOOKS, Count, Glance, glance, left_seconds, unwritten
from serinus.cli.live import BAR, panel, percent, progress
from serinus.ports import Route
from serinus.release.record import Ask, Outcome, Record, State, Tally, Verb
from serinus.release.weight import Weight
from tests.release.builders import a_release


def a_route(percents: float) -> Route:
    return Route(Weight.of(percents), None, "1")


def checked(record: Record, verdict: str, why: str) -> Record:
    return record.say("2026-01-01T00:00:00Z", 1.0, "check", verdict=verdict, why=why)


def lasting(record: Record, why: str, **data: str) -> Record:
    """A HOLD that has stood for longer than two scrapes."""
    held = replace(record, held={"stale": 10.0}, elapsed_seconds=20.0)
    return held.say("2026-01-01T00:00:00Z", 20.0, "check", verdict="HOLD", why=why, **data)


def counted(record: Record) -> Record:
    arms = Both(Counts(20, 1), Counts(80, 0))
    return replace(record, gate=replace(record.gate, totals=arms))


def seen(record: Record, percents: float = 10, before: Glance | None = None) -> Glance:
    return glance(record, a_route(percents), True, before)


def said(before: Glance | None, now: Glance) -> list[str]:
    return [change.text for change in changes(before, now)]


def drawn(now: Glance) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(panel(now))
    return captured.get()


def test_no_request_is_not_a_rate_of_zero() -> None:
    assert Count().rate is None
    assert Count(10, 0).rate == 0


def test_it_says_what_is_wanted_what_is_set_and_what_is_left() -> None:
    now = seen(a_release().at(10).soaked(3).record)
    assert (now.phase, now.phases, now.weight_percent, now.set_percent, now.taken_up) == (2, 5, 10, 10, True)
    assert now.left_seconds == 5 + 3 * 8 + 8
    assert now.waits_for == "5 s of the soak"


def test_what_cannot_be_read_is_not_shown_as_zero() -> None:
    now = glance(a_release().at(10).record, None, None)
    assert now.set_percent is None
    assert now.share is None
    assert now.as_json()["weight"] == {"wanted": 10.0, "set": None, "taken_up": None}


def test_it_waits_for_what_the_last_check_says_also_once_the_line_is_copied() -> None:
    record = checked(a_release().at(10).record, "HOLD", "stale: no sample for 4 s")
    now = seen(record)
    assert now.waits_for == "stale: no sample for 4 s"
    later = seen(replace(record, lines=()), before=now)
    assert (later.waits_for, later.verdict) == ("stale: no sample for 4 s", "HOLD")


@pytest.mark.parametrize(
    ("state", "left"),
    [
        (State.STARTING, 48),
        (State.PHASE, 48),
        (State.PROMOTING, 8),
        (State.BAKING, 8),
        (State.ROLLING_BACK, 0),
        (State.PROMOTED, 0),
    ],
)
def test_time_left_counts_what_is_still_to_come(state: State, left: float) -> None:
    assert left_seconds(replace(a_release().record, state=state)) == left


def test_each_change_is_one_line() -> None:
    first = seen(a_release().at(10).record, 5)
    assert [line.split(":")[0] for line in said(None, first)] == [
        "shop v2",
        "phase 2 of 5, 10 %, 8 s",
        "the route gives the canary 5 %",
    ]
    assert said(first, first) == []
    later = seen(a_release().at(25).record, 25, first)
    assert said(first, later) == ["phase 3 of 5, 25 %, 8 s", "the route gives the canary 25 %"]


def test_holds_pauses_and_lateness_are_told_once() -> None:
    record = a_release().at(10).record
    calm = seen(checked(record, "PASS", "fine"))
    held = seen(lasting(record, "stale"), before=calm)
    assert said(calm, held) == ["HOLD: stale"]
    assert said(held, held) == []
    assert said(held, calm) == ["PASS again: fine"]
    assert "paused" in said(calm, seen(replace(record, paused=True), before=calm))[0]
    assert "late" in said(calm, seen(replace(record, late=True), before=calm))[0]


def test_an_engine_that_is_silent_for_too_long_is_said_to_be_gone_once_and_no_verdict_of_it_is_shown() -> None:
    record = checked(a_release().at(10).record, "PASS", "fine")
    calm, silent, later = (glance(record, a_route(10), True, None, seconds, 6.0) for seconds in (5.0, 6.0, 7.0))
    assert (calm.silent_seconds, silent.silent_seconds) == (0.0, 6.0)
    gone = "waits for a guard: no beat for 6 s, its engine is gone (`serinus guard`, where none runs)"
    assert said(calm, silent) == [gone]
    assert said(silent, later) == []
    assert "PASS" in drawn(calm)
    assert "PASS" not in drawn(silent)
    assert "no beat" in drawn(silent)
    ended = replace(record, state=State.ROLLED_BACK, ended=True)
    assert glance(ended, a_route(0), True, None, 600.0, 6.0).silent_seconds == 0.0


def test_the_guard_that_is_meant_is_the_one_of_its_namespace() -> None:
    record = a_release().at(10).record
    target = replace(record.plan.target, workload_options={"namespace": "market", "context": "north"})
    there = replace(record, plan=replace(record.plan, target=target))
    assert "`serinus guard -n market --context north`" in glance(there, None, None, None, 9.0, 6.0).waits_for


def test_an_abort_that_was_asked_is_what_is_waited_for() -> None:
    record = checked(a_release().at(10).record, "PASS", "fine")
    asked = replace(record, inbox=(Ask("1", Verb.PAUSE, "bob"), Ask("2", Verb.ABORT, "ann")))
    assert seen(asked, 0).waits_for == "its engine to end it: ann asked for an abort"


@pytest.mark.parametrize(("now", "silent"), [("00:10:00", 0.0), ("00:10:30", 30.0), ("00:09:50", 0.0)])
def test_how_long_a_record_was_not_written_is_told_by_any_line_of_its_evidence(now: str, silent: float) -> None:
    record = replace(checked(a_release().at(10).record, "PASS", "fine"), elapsed_seconds=601.0)
    assert unwritten(record, record.lines[-1], f"2026-01-01T{now}.000+00:00") == silent


def test_what_is_rolled_back_for_is_said_when_it_begins_unless_a_verdict_was() -> None:
    record = checked(replace(a_release().record, state=State.STARTING), "HOLD", "not ready")
    outcome = Outcome("ErrImagePull: no such image", "pods")
    ending = seen(replace(record, state=State.ROLLING_BACK, outcome=outcome), 0, before=seen(record, 0))
    told = "rolling back: ErrImagePull: no such image; waits for the canary to drain"
    assert said(seen(record, 0), ending) == [told]


def test_a_hold_that_the_next_scrape_ends_is_no_news() -> None:
    record = a_release().at(10).record
    short = replace(record, held={"no-new-scrape": 10.0}, elapsed_seconds=11.0)
    for before in ("PASS", "FAIL"):
        moments = [seen(checked(record, before, "12 of 90"))]
        for now in (checked(short, "HOLD", "no scrape since"), checked(record, before, "12 of 90")):
            moments.append(seen(now, before=moments[-1]))
        assert [said(one, next_one) for one, next_one in pairwise(moments)] == [[], []]
        assert moments[1].verdict == "HOLD"


def test_a_line_says_when_it_was_and_not_when_it_was_seen() -> None:
    """A server that is slow to open the rollback's chapter lets the record follow seconds after the traffic."""
    record = a_release().at(10).record
    calm = seen(replace(record, elapsed_seconds=5.0, tally=Tally(weights=((2.0, 10.0),))))
    failed = record.say("2026-01-01T00:00:00Z", 5.7, "check", verdict="ABORT", why="30 % > 5 %")
    outcome = Outcome("30 % > 5 %", "error_rate")
    tally = Tally(weights=((2.0, 10.0), (5.8, 0.0)))
    ending = replace(failed, state=State.ROLLING_BACK, outcome=outcome, tally=tally, elapsed_seconds=7.9)
    assert [(seconds, text.partition(":")[0]) for seconds, text in changes(calm, seen(ending, 0, before=calm))] == [
        (5.7, "ABORT"),
        (5.8, "the route gives the canary 0 %"),
        (7.9, "rolling back"),
    ]


def test_a_hold_of_a_release_that_is_aborted_already_is_no_news() -> None:
    record = a_release().at(10).record
    calm = seen(checked(record, "PASS", "fine"))
    aborted = replace(lasting(record, "no request since"), inbox=(Ask("1", Verb.ABORT, "ann"),))
    asked = seen(aborted, 0, before=calm)
    assert said(calm, asked) == []
    ended = replace(
        aborted, state=State.ROLLED_BACK, ended=True, outcome=Outcome("ann asked for it", "abort"), inbox=()
    )
    told = ["the route gives the canary 0 %", "rolled back: ann asked for it"]
    assert said(asked, seen(ended, 0, before=asked)) == told


def test_a_hold_is_told_by_its_reasons_name() -> None:
    record = a_release().at(10).record
    calm = seen(checked(record, "PASS", "fine"))
    why = "error_rate 20 % > 5 %, and stable 19 % > 1 %"
    held = seen(lasting(record, why, rule="shared-incident"), before=calm)
    assert said(calm, held) == ["HOLD: shared-incident: error_rate 20 % > 5 %, and stable 19 % > 1 %"]


def test_a_route_that_gives_a_new_release_nothing_yet_is_no_news() -> None:
    starting = replace(a_release().record, state=State.STARTING)
    told = said(None, seen(starting, 0))
    assert [line.split(":")[0] for line in told] == ["shop v2", "starting"]


def test_the_end_is_told_with_its_reason() -> None:
    record = a_release().at(10).record
    ended = replace(record, state=State.ROLLED_BACK, ended=True, outcome=Outcome("31 % > 5 %", "error_rate"))
    assert said(seen(record), seen(ended, 10)) == ["rolled back: 31 % > 5 %"]


class TestTheTrafficIsReturnedBeforeAnythingIsWritten:
    WHY = "error_rate 31 % > 5 % (12 of 39)"

    def going(self) -> Record:
        return checked(a_release().at(10).record, "PASS", "fine")

    def aborted(self) -> Record:
        return replace(checked(self.going(), "ABORT", self.WHY), state=State.ROLLING_BACK)

    def test_the_reason_is_told_before_what_it_led_to(self) -> None:
        served = seen(self.going(), 10)
        ahead = seen(self.going(), 0, before=served)
        assert ahead.set_percent == 0
        assert said(served, ahead) == []
        after = seen(self.aborted(), 0, before=ahead)
        told = [f"ABORT: {self.WHY}", "the route gives the canary 0 %", "rolling back: waits for the canary to drain"]
        assert said(ahead, after) == told
        assert said(served, seen(self.aborted(), 0, before=served)) == told

    def test_a_record_that_never_says_it_holds_nothing_back(self) -> None:
        moments = [seen(self.going(), 10)]
        for _ in range(PATIENT_LOOKS):
            moments.append(seen(self.going(), 0, before=moments[-1]))
        told = [said(one, next_one) for one, next_one in pairwise(moments)]
        assert told == [[]] * (PATIENT_LOOKS - 1) + [["the route gives the canary 0 %"]]
        assert said(moments[-1], seen(self.going(), 0, before=moments[-1])) == []

    def test_a_new_weight_is_told_at_once_and_so_is_promotion(self) -> None:
        served = seen(self.going(), 10)
        assert said(served, seen(self.going(), 25, before=served)) == ["the route gives the canary 25 %"]
        promoting = replace(self.going(), state=State.PROMOTING)
        assert said(seen(promoting, 100), seen(promoting, 0, before=seen(promoting, 100))) == [
            "the route gives the canary 0 %"
        ]


def test_time_goes_on_where_a_record_stands_still_and_never_back() -> None:
    record = replace(a_release().at(10).record, elapsed_seconds=4.0)
    still = glance(record, a_route(10), True, None, 3.5)
    assert still.elapsed_seconds == 7.5
    assert glance(replace(record, elapsed_seconds=5.0), a_route(0), True, still).elapsed_seconds == 7.5
    assert glance(replace(record, elapsed_seconds=9.0), a_route(0), True, still).elapsed_seconds == 9.0


@pytest.mark.parametrize("columns", [200, 80, 40, 20])
def test_the_panel_fits_any_width(columns: int) -> None:
    console = Console(width=columns, record=True, force_terminal=False, file=None)
    with console.capture() as drawn:
        console.print(panel(seen(checked(a_release().at(10).record, "FAIL", "error_rate 3 % > 1 % " * 9))))
    assert "10 %" in drawn.get()
    assert all(len(line) <= columns for line in drawn.get().splitlines())


@pytest.mark.parametrize("columns", [120, 80, 60, 40])
def test_what_is_waited_for_stays_however_narrow_and_breaks_at_words(columns: int) -> None:
    console = Console(width=columns, force_terminal=False, file=None)
    why = "not enough requests: 12 of the 20 that it takes"
    with console.capture() as drawn:
        console.print(panel(seen(checked(a_release().at(10).record, "HOLD", why))))
    lines = drawn.get().splitlines()
    assert f"waits for {why}" in " ".join(" ".join(lines).split())
    assert "…" not in "".join(lines[-2:])
    assert (BAR * "─" in drawn.get()) == (columns == 120)


def test_what_is_seen_is_said_over_what_and_not_at_all_once_it_has_ended() -> None:
    record = counted(a_release().at(10).record)
    assert (seen(record).whole, seen(record).as_json()["share_since"]) == (True, "release")
    in_phase = seen(record, before=seen(a_release().record))
    assert (in_phase.whole, in_phase.as_json()["share_since"]) == (False, "phase")
    assert not seen(record, before=in_phase).whole
    ended = seen(replace(record, state=State.PROMOTED, ended=True), 0)
    assert ended.share is None
    console = Console(width=100, force_terminal=False, file=None)
    with console.capture() as drawn:
        console.print(panel(seen(record)))
        console.print(panel(ended))
    assert drawn.get().count("seen so far") == drawn.get().count("seen") == 1


def test_shares_and_rates_are_readable() -> None:
    assert (percent(None), percent(0.0483), percent(5, 100), percent(0.0)) == ("–", "4.83 %", "5 %", "0 %")
    assert progress(seen(a_release().at(10).soaked(4).record)).startswith("━━━━━━━━━━━━────────────  4 of 8 s soaked")

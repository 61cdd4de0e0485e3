"""What somebody reads who only has the Prefect UI."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prefect.client.schemas.objects import State as RunState

from serinus.analysis.state import Both, Counts, GateState
from serinus.analysis.verdict import Judgement, Outcome, Verdict
from serinus.release.lifecycle import Action, Step
from serinus.release.record import Outcome as End
from serinus.release.record import Record, State, Tally
from tasks.moved import Moved
from tasks.report import final, outcome, progress, refusal, report, row, standing
from tests.release.builders import a_release

WHY = "error_rate 31 % > 5 % (12 of 39)"


def rolled_back() -> Record:
    totals = Both(Counts(39, 12, 12, 39, {"0.5": 1}), Counts(700, 0))
    return replace(
        a_release().at(25).record,
        state=State.ROLLED_BACK,
        ended=True,
        outcome=End(WHY, "error_rate", "hard breach", 25.0, 0.061),
        gate=GateState(totals=totals),
        tally=Tally(39, 700, 12, ((0.0, 5.0), (8.2, 25.0), (9.1, 0.0))),
    )


def promoted() -> Record:
    why = "v2 serves everything; 5 phases and the bake passed"
    return replace(a_release().at(100).record, state=State.PROMOTED, ended=True, outcome=End(why))


def ends(record: Record, cancelled: bool = False) -> RunState[None]:
    return final(record.plan.version, record.state, record.outcome, cancelled)


def test_the_state_in_which_a_run_ends() -> None:
    good, bad, cancelled = ends(promoted()), ends(rolled_back()), ends(rolled_back(), cancelled=True)
    assert [(s.type, s.name) for s in (good, bad, cancelled)] == [
        ("COMPLETED", "Promoted"),
        ("FAILED", "RolledBack"),
        ("CANCELLED", "RolledBack"),
    ]
    assert bad.message == cancelled.message == f"{WHY} at 25 %; all traffic on stable 0.06 s after the verdict"
    assert good.message == "v2 serves everything; 5 phases and the bake passed"


def test_a_release_that_was_promoted_in_spite_of_a_cancel_says_so() -> None:
    assert ends(promoted(), cancelled=True).name == "Promoted"


def test_the_report_holds_figures_limits_why_and_the_evidence_s_head() -> None:
    record = rolled_back()
    verdict = Verdict(
        (
            Judgement(Outcome.ABORT, "error_rate", "hard breach", WHY),
            Judgement(Outcome.PASS, "latency_p99", "within limits", "p99 | fine", note="not certified"),
        )
    )
    text = report(record, verdict, "TEST/canary/r1.log", silent_seconds=33.3)
    for said in (
        "# shop v2: rolled back",
        "| canary | 39 | 12 | 30.8 % | 0.5 s: 2.56 % |",
        "| stable | 700 | 0 | 0 % | – |",
        f"| error_rate | max 1%, abort above 5% | ABORT | {WHY} |",
        "p99 \\| fine",
        "5 % at 0.0 s → 25 % at 8.2 s → 0 % at 9.1 s",
        record.head.hash,
        "TEST/canary/r1.log",
        "did not answer for 33 s",
    ):
        assert said in text
    assert "did not answer" not in report(record, verdict, "x")


def test_a_report_without_any_check() -> None:
    assert "Gates" not in report(rolled_back(), None, "x")


def test_a_refusal_names_every_problem() -> None:
    text = refusal("shop", "v2", ["phases[0].weight: '5'; write 5%", "limits: unknown key"])
    assert "Nothing was touched" in text
    assert text.count("\n- ") == 2


def test_a_line_of_the_timeline() -> None:
    moved = Moved(Action(Step.ROLL_BACK, WHY), "25 %")
    line = row("gate 25 %", moved, rolled_back())
    assert line["canary"] == "12 of 39 failed"
    assert (line["move"], line["then"], line["why"], line["weight"]) == ("gate 25 %", "roll back", WHY, "25 %")
    assert row("x", moved, a_release().record, "0 % since")["why"] == "0 % since"
    assert row("x", moved, a_release().record)["canary"] == "no requests"


def test_the_bar_rises_through_phases_and_bake() -> None:
    told = a_release()
    stages = [
        told.at(5).record,
        told.at(5).soaked(4).record,
        told.at(50).record,
        told.at(100).soaked(8).record,
        replace(told.at(100).record, state=State.PROMOTING),
        told.at(100).baking().soaked(4).record,
        promoted(),
    ]
    percents = [progress(record)[0] for record in stages]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0.0, 100.0)
    assert all(percent < 100 for percent in percents[:-1])


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (a_release().at(25).soaked(4).record, "25 %: 4 of 8 s soaked"),
        (a_release().at(25).holding("no-traffic", 2.0).record, "waits for no-traffic"),
        (a_release().at(25).baking().record, "bake: 0 of 8 s soaked"),
        (replace(a_release().record, state=State.PROMOTING), "promoting"),
        (replace(a_release().record, paused=True), "paused"),
    ],
)
def test_where_it_stands(record: Record, said: str) -> None:
    assert said in standing(record)
    assert said in progress(record)[1]


def test_a_record_without_an_end_says_where_it_stands() -> None:
    assert outcome(a_release().record) == "v2: phase"

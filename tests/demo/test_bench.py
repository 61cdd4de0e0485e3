"""What a bench says of its runs: shares by the evidence, figures against goals, the table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.history import History, expected
from bench.measure import Measure, measures
from bench.play import Run
from bench.result import table, versions, write
from bench.row import ALL, QUICK, ROWS, Row
from bench.share import Share, shares
from serinus.cli.stage import Played
from serinus.local.traffic import Sent
from serinus.policy.load import read
from serinus.release.evidence import Head, following

ROW = Row("usual 200/s", "v1", 200, {})


def a_run(scenario: str, failed: int = 0, seconds: float | None = None, row: Row = ROW, **summary: Any) -> Run:
    told = {"outcome": ALL[scenario].outcome, "seconds": {"total": 50.0, "verdict_to_stable": seconds}, **summary}
    counts = {"canary": 100, "stable": 1900}
    users = Sent(10.0, {200: 2000 - failed, 500: failed})
    played = Played(ALL[scenario], told, counts, {"canary": failed, "stable": 0}, users, seconds, 100_000_000, "")
    return Run(row, scenario, played, ())


def met(runs: list[Run]) -> dict[str, bool | None]:
    return {measure.name: measure.met for measure in measures(runs)}


def test_every_row_plays_what_there_is() -> None:
    for row in (*ROWS, *QUICK):
        assert set(row.plays) <= set(ALL)


def test_the_policy_of_slow_scrapes_is_sound(tmp_path: Path) -> None:
    for row in ROWS:
        if row.policy:
            file = tmp_path / "policy.yaml"
            file.write_text(row.policy)
            assert read(file).service == "shop"


@pytest.mark.parametrize(
    ("counts", "kept"), [([5] * 5 + [12] * 5, True), ([12] * 10, True), ([13] * 10, False), ([0] * 4 + [60] * 6, False)]
)
def test_the_median_decides_on_errors(counts: list[int], kept: bool) -> None:
    assert met([a_run("errors", count, 1.0) for count in counts])["errors, 200/s: failed"] is kept


def test_one_that_ended_otherwise_fails_its_promise() -> None:
    runs = [a_run("incident"), a_run("incident", outcome="rolled back")]
    assert met(runs)["incident, 200/s"] is False
    assert met(runs[:1])["incident, 200/s"] is True


def test_a_good_release_may_lose_no_request_where_its_versions_lose_none() -> None:
    clean = replace(ROW, stable="v1.0")
    assert met([a_run("good", 1, row=clean)])["good, 200/s"] is False
    assert met([a_run("good", 0, row=clean)])["good, 200/s"] is True
    assert met([a_run("good", 1)])["good, 200/s"] is True


def test_the_slowest_of_all_verdicts_counts() -> None:
    runs = [a_run("errors", 5, 0.01) for _ in range(49)]
    name = "verdict to weight 0 read back"
    assert met([*runs, a_run("errors", 5, 0.9)])[name] is True
    assert met([*runs, a_run("errors", 5, 1.1)])[name] is False


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (History((), ()), True),
        (History(("task hold 10 %",), ("Prefect did not open it",)), True),
        (History(("task hold 10 %",), ()), False),
        (None, False),
    ],
)
def test_a_history_that_lacks_something_unnamed_breaks_its_promise(found: History | None, kept: bool) -> None:
    assert met([replace(a_run("server-restart"), history=found)])["server-restart, 200/s: history"] is kept


def test_every_phase_is_looked_for_in_the_history() -> None:
    weights = [[0.0, 5.0], [9.0, 100.0], [20.0, 0.0]]
    assert expected({"weights": weights}) == {
        f"{verb} {weight}" for verb in ("shift", "hold", "gate") for weight in ("5 %", "100 %")
    }


def test_how_many_may_fail_is_said_for_two_hundred_a_second() -> None:
    fast = replace(ROW, rate=1000)
    found = {measure.name: measure for measure in measures([a_run("dead", 40, 0.4, row=fast)])}
    assert found["dead, 1000/s: failed"].goal == ""
    assert found["dead, 1000/s: seconds"].met is True


def test_evidence_with_a_fault_breaks_its_promise() -> None:
    runs = [a_run("errors"), replace(a_run("errors"), faults=("line 7 was changed",))]
    assert met(runs)["evidence"] is False
    assert met(runs[:1])["evidence"] is True


def test_goals_hold_for_a_scrape_every_second_alone() -> None:
    slow = replace(ROW, scrape="15s")
    found = measures([a_run("errors", 200, 30.0, row=slow)])[0]
    assert (found.name, found.goal, found.met) == ("errors, 200/s, scrapes 15s: failed", "", None)


def test_shares_are_counted_from_the_second_increment_on(tmp_path: Path) -> None:
    head, texts = Head(), []
    told: list[tuple[str, dict[str, Any]]] = [("weight", {"set": 10.0})]
    told += [
        ("check", {"weight": 10.0, "increment": {"canary": [c, 0], "stable": [s, 0]}})
        for c, s in [(1, 199), (20, 180), (22, 178)]
    ]
    told += [
        ("weight", {"set": 100.0}),
        ("check", {"weight": 100.0, "increment": {"canary": [200, 0], "stable": [0, 0]}}),
    ]
    for kind, data in told:
        line = following(head, "", 0.0, kind, data)
        head = line.head
        texts.append(line.text)
    file = tmp_path / "r1.log"
    file.write_text("\n".join(texts) + "\n")
    assert shares(file) == (Share(10.0, 42, 400),)
    assert shares(tmp_path / "absent.log") == ()


def test_a_share_is_measured_in_standard_errors() -> None:
    assert Share(10, 100, 1000).z == 0
    assert Share(10, 119, 1000).z == pytest.approx(2.0, abs=0.01)


def test_the_table_marks_what_is_not_met() -> None:
    drawn = table([Measure("one", "1", "2", True), Measure("two", "3", "2", False), Measure("three", "4")]).splitlines()
    assert [line[0] for line in drawn] == [" ", " ", "!", " "]
    assert drawn[3].endswith("no goal")


def test_every_run_is_kept(tmp_path: Path) -> None:
    runs = [a_run("errors", 5, 0.01)]
    kept = json.loads(write(runs, measures(runs), {"serinus --help": [0.1]}, tmp_path).read_text())
    assert {"machine", "versions", "seeds", "measures", "runs", "start_up_seconds"} <= set(kept)
    assert kept["runs"][0]["failed_user_requests"]["canary"] == 5
    assert kept["machine"]["cpus"]


def test_a_prometheus_that_is_not_here_has_no_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert versions()["prometheus"] == "?"

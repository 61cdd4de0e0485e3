"""Each move of a release is told once, with its reason; what only beats says nothing."""

from __future__ import annotations

from dataclasses import replace

from serinus.kube.news import event, labels, moves
from serinus.release.record import Outcome, Record, State, Tally
from tests.kube.objects import a_deployment
from tests.release.builders import a_release


def a_record(**changed: object) -> Record:
    return replace(a_release().record, **changed)  # type: ignore[arg-type]


def told(before: Record | None, now: Record) -> list[str]:
    return [move.reason for move in moves(before, now)]


def weighed(record: Record, percent: float) -> Record:
    return replace(record, tally=replace(Tally(), weights=((1.0, percent),)))


def test_a_beat_is_no_news() -> None:
    record = a_record()
    assert told(record, replace(record, beat=record.beat + 1, elapsed_seconds=99.0)) == []


def test_a_new_release_says_what_it_replaces() -> None:
    record = a_record(state=State.STARTING)
    (started,) = moves(None, record)
    assert record.plan.version in started.note
    assert record.previous.version in started.note
    assert told(a_record(release="r0"), record) == ["Started"]


def test_a_process_that_comes_later_does_not_say_that_it_begins() -> None:
    assert told(None, a_record(state=State.PHASE)) == []


def test_weights_holds_and_pauses() -> None:
    record = weighed(a_record(state=State.PHASE), 5)
    (set_to,) = moves(record, weighed(record, 10))
    assert set_to.note.startswith("10 % of the traffic to canary")
    held = replace(record, held={"no-traffic": 3.0}, elapsed_seconds=3.0)
    held = held.say("", 3.0, "check", verdict="HOLD", why="no request reached the canary")
    assert told(record, held) == [], "it may be over with the next scrape"
    lasts = replace(held, beat=held.beat + 1, elapsed_seconds=9.0)
    lasts = lasts.say("", 9.0, "check", verdict="HOLD", why="no request reached the canary")
    (waits,) = moves(held, lasts)
    assert (waits.reason, waits.warning) == ("Held", True)
    assert "no request reached the canary" in waits.note
    assert told(lasts, replace(lasts, beat=lasts.beat + 1, elapsed_seconds=10.0)) == []
    paused = replace(record, paused=True).say("", 4.0, "ask", verb="pause", who="ada@host", why="lunch")
    (stopped,) = moves(record, paused)
    assert "paused by ada@host: lunch" in stopped.note
    assert told(paused, replace(paused, paused=False)) == ["Resumed"]


def test_an_end_says_why() -> None:
    record = weighed(a_record(state=State.PHASE), 25)
    back = weighed(replace(record, state=State.ROLLING_BACK, outcome=Outcome("error_rate 12 %, limit 5 %")), 0)
    weight, rolling = moves(record, back)
    assert (weight.reason, rolling.reason, rolling.warning) == ("WeightSet", "RollingBack", True)
    assert "error_rate 12 %" in rolling.note
    assert told(back, replace(back, state=State.ROLLED_BACK, ended=True)) == ["RolledBack"]
    assert told(record, replace(record, token=record.token + 1)) == ["TakenOver"]


def test_labels_are_what_a_label_may_be() -> None:
    record = weighed(a_record(state=State.ROLLING_BACK), 12.5)
    assert labels(record)["serinus.dev/state"] == "rolling-back"
    assert labels(record)["serinus.dev/weight"] == "12.5"


def test_a_deployment_shows_the_version_that_it_runs() -> None:
    record = a_record(state=State.ROLLED_BACK)
    assert labels(record)["serinus.dev/version"] == record.plan.version
    assert labels(record, "v0")["serinus.dev/version"] == "v0"


def test_the_same_move_is_the_same_event() -> None:
    deployment = a_deployment()
    deployment["metadata"] |= {"namespace": "prod", "uid": "u-1"}
    record = a_record(state=State.STARTING)
    (move,) = moves(None, record)
    first, second = (event(move, record, deployment, "host", at) for at in ("1", "2"))
    assert first["metadata"]["name"] == second["metadata"]["name"]
    assert first["regarding"]["uid"] == "u-1"
    long = event(replace(move, note="ü" * 2000), record, deployment, "h" * 300, "1")
    assert len(long["note"].encode()) <= 1024
    assert len(long["reportingInstance"]) == 128

"""A log is one release's, from its plan to its end, and ends where what is kept elsewhere says."""

from __future__ import annotations

import pytest

from serinus.release.evidence import Head, Line, following
from serinus.release.witness import Witness, following_on, opening, verify_log
from tests.release.builders import a_log


def written(lines: list[Line]) -> str:
    return "".join(line.text + "\n" for line in lines)


def whats(content: str, release: str = "r1", *witnesses: Witness, record: tuple[Line, ...] | None = None) -> str:
    return "; ".join(fault.what for fault in verify_log(content, release, witnesses, record))


def test_a_whole_log_has_no_fault() -> None:
    log = a_log("r1")
    assert whats(written(log)) == ""
    assert whats(written(log), "r1", Witness("its record", log[-1].head), record=()) == ""
    assert whats(written(log[:2]), "r1", Witness("its record", log[-1].head), record=tuple(log[1:])) == ""
    assert whats("", "r1", Witness("its record", log[-1].head), record=tuple(log)) == ""


@pytest.mark.parametrize("left", range(1, 5))
def test_without_a_record_the_end_must_be_there(left: int) -> None:
    assert "not the `end`" in whats(written(a_log("r1")[:left]))


def test_nothing_is_no_evidence() -> None:
    assert "is empty" in whats("")
    assert {fault.line for fault in verify_log("", "r1", (Witness("its record", a_log("r1")[-1].head),))} == {1}
    assert "not the `end`" in whats("\n")


def test_another_releases_log_is_not_this_ones() -> None:
    assert "is the evidence of release r2, not of r1" in whats(written(a_log("r2")))


def test_a_log_without_its_beginning_is_found() -> None:
    assert "not the `plan`" in whats(written(a_log("r1")[1:]))


def test_the_last_newline_is_one_of_its_bytes() -> None:
    log = a_log("r1")
    assert "no newline" in whats(written(log)[:-1], "r1", Witness("its record", log[-1].head), record=())


def test_a_forged_end_is_found_by_the_next_releases_first_line() -> None:
    log = a_log("r1")
    forged = [*log[:2], following(log[1].head, "now", 9, "end", {"outcome": "promoted"})]
    assert whats(written(forged)) == ""
    assert "the first line of r2 says 5" in whats(written(forged), "r1", Witness("the first line of r2", log[-1].head))


def test_a_first_line_names_the_release_before() -> None:
    before = a_log("r1")[-1].head
    first = opening(a_log("r2", follows=following_on("r1", before))[0].text)
    assert (first.release, first.service, first.follows) == ("r2", "shop", ("r1", before))
    assert opening(a_log("r1")[0].text).follows is None


@pytest.mark.parametrize("odd", [3, "r1", {"release": "r1"}, {"release": "r1", "n": "5", "hash": "a"}], ids=str)
def test_what_is_no_head_is_none(odd: object) -> None:
    assert opening(following(Head(), "now", 0, "plan", {"release": "r2", "follows": odd}).text).follows is None

"""`evidence show | verify`: every line that was changed, taken out or added is found, with its number."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serinus.cli.app import app
from serinus.ledgers.file import FileLedger
from serinus.release.evidence import Line, following
from serinus.release.record import State
from serinus.release.witness import following_on
from serinus.routers.envoy import initial
from serinus.settings import Folders
from tests.cli.test_app import RUN
from tests.release.builders import a_log, a_release


@pytest.fixture
def log(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release's evidence, whole."""
    monkeypatch.setenv("SERINUS_STATE", str(folders.state))
    folders.evidence.mkdir(parents=True)
    return lay(folders, a_log("r1"))


def lay(folders: Folders, lines: list[Line]) -> Path:
    file = folders.evidence / f"{lines[0].data['release']}.log"
    file.write_text("".join(line.text + "\n" for line in lines))
    return file


def verified(*words: str) -> tuple[int, dict[str, Any]]:
    done = RUN.invoke(app, ["evidence", "verify", *words, "--json"])
    assert "Traceback" not in done.output
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])


def test_a_whole_chain_is_said_to_be(log: Path) -> None:
    code, found = verified("r1")
    assert (code, found["whole"], found["lines"], found["head_checked"]) == (0, True, 5, False)
    assert verified(str(log))[0] == 0
    assert verified()[0] == 0


@pytest.mark.parametrize("at", range(4))
def test_a_changed_line_is_found(log: Path, at: int) -> None:
    lines = log.read_text().splitlines()
    lines[at] = lines[at].replace("01T00", "01T01")
    log.write_text("\n".join(lines) + "\n")
    code, found = verified("r1")
    assert code == 1
    assert {"line": at + 2} == {"line": found["faults"][0]["line"]}


def test_a_missing_line_and_an_added_one_are_found(log: Path) -> None:
    whole = log.read_text().splitlines()
    log.write_text("\n".join(whole[:2] + whole[3:]) + "\n")
    assert verified("r1")[0] == 1
    log.write_text("\n".join([*whole[:2], "{}", *whole[2:]]) + "\n")
    assert verified("r1")[0] == 1
    log.write_bytes(b"\xff\xfe\n" + log.read_bytes())
    assert verified("r1")[0] == 1


def keep(folders: Folders, lines: list[Line]) -> None:
    """The service's record, which holds the chain's end."""
    release = str(lines[0].data["release"])
    record = replace(
        a_release().record, release=release, head=lines[-1].head, lines=(), state=State.PROMOTED, ended=True
    )

    async def write() -> None:
        kept = await FileLedger(folders, "shop").read()
        await FileLedger(folders, "shop").write(record, kept.version if kept else None)

    initial(folders, "shop")
    asyncio.run(write())


def test_a_cut_tail_is_found_by_the_head_in_the_record(log: Path, folders: Folders) -> None:
    keep(folders, a_log("r1"))
    code, found = verified("r1")
    assert (code, found["head_checked"]) == (0, True)
    log.write_text("\n".join(log.read_text().splitlines()[:-1]) + "\n")
    code, found = verified("r1")
    assert code == 1
    assert "record says 5" in str(found["faults"])


@pytest.fixture
def two(log: Path, folders: Folders) -> tuple[Path, Path]:
    """Two releases, one after the other: only the second still has the record."""
    second = a_log("r2", 7, follows=following_on("r1", a_log("r1")[-1].head))
    keep(folders, second)
    return log, lay(folders, second)


def whats(found: dict[str, Any]) -> str:
    return "; ".join(fault["what"] for fault in found["faults"])


def test_each_log_is_held_by_its_record_or_by_the_next_one(two: tuple[Path, Path], folders: Folders) -> None:
    code, found = verified()
    assert (code, found) == (0, {"logs": 2, "whole": True, "faults": 0, "unheld": [], "gone": []})
    assert verified("r1")[1]["held_by"] == ["the first line of r2"]
    assert verified("r2")[1]["held_by"] == ["its record"]
    lay(folders, a_log("r0"))
    assert verified()[1]["unheld"] == ["r0"]
    assert (
        "by itself: neither its record nor a later release is left to hold its end against"
        in RUN.invoke(app, ["evidence", "verify"]).stdout
    )


def a_forged_end(lines: list[Line]) -> list[Line]:
    return [*lines[:2], following(lines[1].head, "2026-01-01T00:00:00Z", 2.0, "end", {"outcome": "promoted"})]


def test_what_a_newer_release_knows_of_an_older_one_is_held_against_it(
    two: tuple[Path, Path], folders: Folders
) -> None:
    first, second = two
    whole = first.read_bytes()
    changes = {
        "not of r1": second.read_bytes(),
        "not the `end`": b"".join(whole.splitlines(keepends=True)[:-3]),
        "is empty": b"",
        "no newline": whole[:-1],
        "r2 says 5": "".join(line.text + "\n" for line in a_forged_end(a_log("r1"))).encode(),
    }
    for what, changed in changes.items():
        first.write_bytes(changed)
        for code, found in (verified("r1"), verified(str(first))):
            assert code == 1
            assert what in whats(found)
        code, found = verified()
        assert (code, found["faults"]) == (1, 1)
    first.unlink()
    code, found = verified()
    assert (code, found["gone"]) == (0, ["r1"])
    lay(folders, a_log("r0"))
    assert verified()[0] == 1, "taken out of the middle"


def test_a_renamed_copy_of_the_newest_is_held_against_its_record(two: tuple[Path, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.log"
    copy.write_bytes(b"".join(two[1].read_bytes().splitlines(keepends=True)[:-2]))
    code, found = verified(str(copy))
    assert code == 1
    assert "not of copy" in whats(found)
    assert "its record says 7" in whats(found)


@pytest.mark.parametrize(("said", "swapped"), [("\ufffd", b"\xff"), ("\\xff", b"\\\xff")])
def test_a_swapped_byte_is_found(folders: Folders, log: Path, said: str, swapped: bytes) -> None:
    lines = a_log("r1", why=said)
    file = lay(folders, lines)
    assert verified("r1")[0] == 0
    as_written = said.encode() if said == "\ufffd" else b"\\\\xff"
    assert as_written in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(as_written, swapped))
    assert verified("r1")[0] == 1
    shown = RUN.invoke(app, ["evidence", "show", "r1"])
    assert shown.exit_code == 0
    assert "bytes that are no text" in shown.stdout


def test_a_live_release_is_held_with_the_lines_that_are_not_copied_yet(log: Path, folders: Folders) -> None:
    lines = a_log("r1")
    record = replace(a_release().record, head=lines[3].head, lines=tuple(lines[2:4]))
    log.write_text("".join(line.text + "\n" for line in lines[:2]))
    initial(folders, "shop")
    asyncio.run(FileLedger(folders, "shop").write(record, None))
    assert verified("r1")[0] == 0
    log.write_text(lines[0].text + "\n")
    assert verified("r1")[0] == 1


def test_a_record_that_cannot_be_read_is_said(log: Path, folders: Folders) -> None:
    keep(folders, a_log("r1"))
    newest = max((folders.service("shop") / "record").glob("r*"))
    newest.write_bytes(b"{}")
    code, found = verified("r1")
    assert code == 1
    assert "is no record" in whats(found)


ODD = {"text": '{"n":"3"}', "list": '{"n":[3]}', "deep": "[" * 200_000}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("words", [("show", "r1"), ("verify", "r1"), ("verify",)], ids=" ".join)
def test_an_odd_line_is_a_fault_and_no_bug(log: Path, words: tuple[str, ...], odd: str) -> None:
    with log.open("a") as file:
        file.write(odd + "\n")
    done = RUN.invoke(app, ["evidence", *words])
    assert done.exit_code == (0 if words[0] == "show" else 1)
    assert "bug" not in done.output
    assert "not a line of evidence" in done.stdout


@pytest.mark.parametrize("kind", ["directory", "loop", "pipe", "secret name"])
def test_what_is_no_file_is_said_and_the_others_are_looked_at(log: Path, folders: Folders, kind: str) -> None:
    os.utime(log, (1, 1))
    place = folders.evidence / "X.log"
    match kind:
        case "directory":
            place.mkdir()
        case "loop":
            place.symlink_to(place)
        case "pipe":
            os.mkfifo(place)
        case _:
            place = folders.evidence / os.fsdecode(b"X\xff.log")
            place.mkdir()
    for verb, code in (("show", 2), ("verify", 1)):
        done = RUN.invoke(app, ["evidence", verb, place.stem])
        assert (done.exit_code, "bug" in done.output) == (code, False)
        assert "is no file" in done.output or "cannot be read" in done.output
    every = RUN.invoke(app, ["evidence", "verify"])
    assert every.exit_code == 1
    assert "r1.log: 5 lines, whole" in every.stdout
    assert RUN.invoke(app, ["evidence", "show"]).exit_code == 0, "the newest is the newest file"


def test_a_name_too_long_for_a_file_is_no_release(log: Path) -> None:
    refused = RUN.invoke(app, ["evidence", "verify", "x" * 5000])
    assert refused.exit_code == 2
    assert "holds no evidence of xxx" in refused.stderr


def test_lines_are_shown_with_their_verdicts_and_torn_ones_too(log: Path) -> None:
    log.write_text(log.read_text() + '{"torn')
    shown = RUN.invoke(app, ["evidence", "show", "r1"])
    assert shown.exit_code == 0
    assert "PASS: look 3" in shown.stdout
    assert "plan" in shown.stdout
    assert "not a line of evidence" in shown.stdout


@pytest.mark.parametrize("words", [["evidence", "show", "r2"], ["evidence", "verify", "../r2"]])
def test_what_is_not_there_is_answered_with_what_is(log: Path, words: list[str]) -> None:
    refused = RUN.invoke(app, words)
    assert refused.exit_code == 2
    assert "r1" in refused.stderr


def test_without_any_release_it_says_so(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERINUS_STATE", str(folders.state))
    refused = RUN.invoke(app, ["evidence", "verify"])
    assert refused.exit_code == 2
    assert "no evidence" in refused.stderr

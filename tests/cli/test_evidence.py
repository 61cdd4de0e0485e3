"""`evidence show | verify`: every line that was changed, taken out or added is found, with its number."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serinus.cli.app import app
from serinus.ledgers.file import FileLedger
from serinus.release.evidence import Head, Line, following
from serinus.release.record import State
from serinus.routers.envoy import initial
from serinus.settings import Folders
from tests.cli.test_app import RUN
from tests.release.builders import a_release


def a_chain(length: int = 5) -> list[Line]:
    lines, head = list[Line](), Head()
    for number in range(length):
        lines.append(
            following(
                head, "2026-01-01T00:00:00Z", float(number), "check", {"why": f"look {number}", "verdict": "PASS"}
            )
        )
        head = lines[-1].head
    return lines


@pytest.fixture
def log(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release's evidence, whole."""
    monkeypatch.setenv("SERINUS_STATE", str(folders.state))
    folders.evidence.mkdir(parents=True)
    file = folders.evidence / "r1.log"
    file.write_text("".join(line.text + "\n" for line in a_chain()))
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
    lines[at] = lines[at].replace("PASS", "HOLD")
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


async def kept_record(folders: Folders) -> None:
    """The service's record, which holds the chain's head."""
    initial(folders, "shop")
    record = replace(a_release().record, head=a_chain()[-1].head, state=State.PROMOTED, ended=True)
    await FileLedger(folders, "shop").write(record, None)


def test_a_cut_tail_is_found_by_the_head_in_the_record(log: Path, folders: Folders) -> None:
    import asyncio

    asyncio.run(kept_record(folders))
    code, found = verified("r1")
    assert (code, found["head_checked"]) == (0, True)
    log.write_text("\n".join(log.read_text().splitlines()[:-1]) + "\n")
    code, found = verified("r1")
    assert code == 1
    assert "record says 5" in str(found["faults"])


def test_lines_are_shown_with_their_verdicts_and_torn_ones_too(log: Path) -> None:
    log.write_text(log.read_text() + '{"torn')
    shown = RUN.invoke(app, ["evidence", "show", "r1"])
    assert shown.exit_code == 0
    assert "PASS: look 3" in shown.stdout
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

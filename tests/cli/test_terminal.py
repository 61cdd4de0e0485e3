"""Colours only where they can be shown; with `--json`, standard output is for programs alone."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from serinus.cli.terminal import Terminal, in_colour, styled
from serinus.voice import finish, speak

ROOT = Path(__file__).resolve().parents[2]


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)


def test_a_terminal_has_colours_a_pipe_has_none() -> None:
    assert in_colour(Tty())
    assert not in_colour(io.StringIO())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_whoever_says_no_has_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not in_colour(Tty())
    assert styled("text", "bad", Tty()) == "text"


def test_a_style_ends_where_its_text_ends() -> None:
    assert styled("text", "good", Tty()) == "\x1b[32mtext\x1b[0m"


def test_json_keeps_people_off_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    out = Terminal(as_json=True)
    out.say("for people")
    out.complain("for both")
    out.result({"found": 1}, "for people")
    told = capsys.readouterr()
    assert json.loads(told.out) == {"found": 1}
    assert told.err == "for both\n"


def test_without_json_nothing_is_emitted(capsys: pytest.CaptureFixture[str]) -> None:
    out = Terminal()
    out.emit({"found": 1})
    out.result({"found": 1}, "for people")
    assert capsys.readouterr().out == "for people\n"


def test_nothing_moves_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Tty())
    assert Terminal().live
    assert not Terminal(as_json=True).live
    monkeypatch.setenv("TERM", "dumb")
    assert not Terminal().live


@pytest.mark.parametrize(
    "words", ["plan deployments/policies/shop.yaml --version v2 --rate 200", "demo --list", "evidence show --help"]
)
def test_a_reader_that_leaves_is_no_bug(words: str) -> None:
    command = f"set -o pipefail; {sys.executable} -m serinus.cli {words} | head -n 1"
    left = subprocess.run(("bash", "-c", command), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (left.returncode, left.stderr) == (0, "")


def test_what_is_said_after_a_reader_has_left_is_said_to_nobody() -> None:
    talk = "from serinus.cli.terminal import Terminal\nfor n in range(20_000): Terminal().say('x' * 80)\nTerminal().complain('whole')"
    command = f'set -o pipefail; {sys.executable} -c "{talk}" | head -n 1'
    left = subprocess.run(("bash", "-c", command), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (left.returncode, left.stderr) == (0, "whole\n")


UNSAID = "Not everything that was said could be written: No space left on device.\n"


def into_a_full_disk(code: str, buffered: str) -> tuple[int, str]:
    command = ("bash", "-c", 'exec "$0" -c "$1" > /dev/full', sys.executable, code)
    environment = {**os.environ, "PYTHONUNBUFFERED": buffered}
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=environment)
    return told.returncode, told.stderr


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["plan", "deployments/policies/shop.yaml", "--version", "v2"], "No room"),
        (["demo", "--list", "--json"], "Not every"),
    ],
)
def test_a_result_that_a_full_disk_does_not_take_is_told(words: list[str], first: str, buffered: str) -> None:
    code, told = into_a_full_disk(f"import sys; sys.argv[1:] = {words}; from serinus.cli import main; main()", buffered)
    assert (code, told.startswith(first), told.endswith(UNSAID)) == (1, True, True), told


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize(("done", "code"), [(0, 1), (3, 3), (4, 4), (7, 7)])
def test_a_full_disk_changes_no_other_exit_code(done: int, code: int, buffered: str) -> None:
    talk = f"Terminal().say('x'); raise SystemExit(int(heard(Code({done}))))"
    imports = "from serinus.cli.terminal import Terminal; from serinus.cli.verb import heard; from serinus.cli.exit_code import Code; "
    assert into_a_full_disk(imports + talk, buffered) == (code, UNSAID)


def test_words_that_found_room_later_are_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        room = False

        def flush(self) -> None:
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")

    stream = Full()
    monkeypatch.setattr("sys.stdout", stream)
    speak("one", stream)
    stream.room = True
    speak("two", stream)
    assert (finish(), stream.getvalue()) == ("", "one\ntwo\n")

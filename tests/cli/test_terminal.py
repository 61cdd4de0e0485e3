"""Colours only where they can be shown; with `--json`, standard output is for programs alone."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from serinus.cli.terminal import Terminal, in_colour, styled

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


@pytest.mark.parametrize("words", ["plan deployments/policies/shop.yaml --version v2", "demo --list --json"])
def test_what_a_full_disk_does_not_take_is_told(words: str) -> None:
    command = f"exec {sys.executable} -m serinus.cli {words} > /dev/full"
    told = subprocess.run(("bash", "-c", command), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode != 0
    assert "Not everything that was said could be written (stdout: No space left on device)." in told.stderr
    assert "bug" not in told.stderr


def test_a_full_disk_ends_nothing_that_speaks() -> None:
    talk = "from serinus.cli.terminal import Terminal\nTerminal().say('x')\nTerminal(True).emit(1)\nTerminal().complain('whole')"
    command = f'{sys.executable} -u -c "{talk}" > /dev/full'
    told = subprocess.run(("bash", "-c", command), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stderr) == (0, "whole\n")

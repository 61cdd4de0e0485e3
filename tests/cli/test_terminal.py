"""Colours only where they can be shown; with `--json`, standard output is for programs alone."""

from __future__ import annotations

import io
import json

import pytest

from serinus.cli.terminal import Terminal, in_colour, styled


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

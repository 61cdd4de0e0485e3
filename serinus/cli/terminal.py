"""How anything is said: lines for people, JSON for programs; colours only where they can be shown.

People's lines go to standard output, or to standard error where `--json` keeps standard output for programs.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from serinus.voice import hush, speak

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "bold": "1", "": ""}


def in_colour(stream: Any) -> bool:
    """Whether escape codes help here: a terminal that is not dumb, and nobody who said no (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


class Terminal:
    """One command's voice.

    Args:
        as_json: standard output is for programs: one JSON value a line, the last one the result
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    @property
    def live(self) -> bool:
        """Whether a view may move in place."""
        return not self.as_json and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def say(self, text: str = "", style: str = "") -> None:
        """A line for people; dropped with `--json`."""
        if not self.as_json:
            speak(styled(text, style, sys.stdout), sys.stdout)

    def complain(self, text: str, style: str = "bad") -> None:
        """A line for people that is no result: standard error, always."""
        speak(styled(text, style, sys.stderr), sys.stderr)

    def emit(self, value: Any) -> None:
        """A line for programs; nothing without `--json`."""
        if self.as_json:
            speak(json.dumps(value, ensure_ascii=False, default=str), sys.stdout)

    def result(self, value: Mapping[str, Any], text: str, style: str = "") -> None:
        """What a command found: the object with `--json`, else the sentence."""
        self.emit(value)
        self.say(text, style)

    def console(self) -> Console:
        """For tables and live views; falls back to plain text by the same rules as `say`."""
        from rich.console import Console

        class Lasting(Console):
            def on_broken_pipe(self) -> None:  # rich would end the process here
                hush(sys.stdout)

        return Lasting(no_color=not in_colour(sys.stdout), highlight=False, soft_wrap=False, emoji=False)


def styled(text: str, style: str, stream: Any) -> str:
    code = STYLES[style]
    return f"\x1b[{code}m{text}\x1b[0m" if code and in_colour(stream) else text

"""Does `docs/plan.md` tell the truth: every path exists, every command runs, no statement is left out?"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATEMENTS = {"H": 2, "T": 6, "K": 13, "S": 6, "A": 5, "M": 7, "P": 5, "R": 6, "C": 13, "E": 4, "L": 3}
CHEAP = ("check", "plan")
"""Verbs that are run as they stand; of all others `--help` is."""


@dataclass(frozen=True, slots=True)
class Row:
    """One statement of the plan."""

    id: str
    says: str
    here: str
    differently: str
    shown: str

    @property
    def paths(self) -> list[str]:
        return re.findall(r"`([^`]+)`", self.here)

    @property
    def commands(self) -> list[str]:
        return re.findall(r"`(serinus [^`]*)`", self.shown)


def read() -> list[Row]:
    """The rows of every table of statements."""
    cells = (
        line.strip().strip("|").split(" | ") for line in (ROOT / "docs" / "plan.md").read_text("utf-8").splitlines()
    )
    return [Row(*(cell.strip() for cell in row)) for row in cells if re.fullmatch(r"[A-Z]\d+", row[0].strip())]


ROWS = read()


def test_every_statement_has_a_row() -> None:
    assert [row.id for row in ROWS] == [
        f"{letter}{n}" for letter, count in STATEMENTS.items() for n in range(1, count + 1)
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_names_a_place_and_a_command_or_says_not_yet(row: Row) -> None:
    assert row.paths
    assert row.commands or row.shown == "not yet"


@pytest.mark.parametrize("path", sorted({path for row in ROWS for path in row.paths}))
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


def command(text: str) -> tuple[str, ...]:
    """What is run for a command of the page."""
    words = shlex.split(text)[1:]
    if words[0] in CHEAP or words[-1] == "--help":
        return tuple(words)
    return (*(words[:2] if words[0] in ("local", "evidence") else words[:1]), "--help")


@pytest.mark.parametrize("words", sorted({command(text) for row in ROWS for text in row.commands}), ids=" ".join)
def test_every_command_runs(words: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serinus.cli", *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SERINUS_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_demo_that_is_named_is_a_scenario() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "serinus.cli", "demo", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    ).stdout
    scenarios = {words[2] for row in ROWS for text in row.commands if (words := shlex.split(text))[1] == "demo"}
    assert not {scenario for scenario in scenarios if scenario not in help_text}

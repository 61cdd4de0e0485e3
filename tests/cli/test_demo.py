"""What the demo says at its end fits the terminal, with no word broken."""

from __future__ import annotations

import pytest

from serinus.cli.demo import _table
from serinus.cli.scenario import SCENARIOS
from serinus.cli.stage import Played
from serinus.cli.terminal import Terminal

WHY = "success_rate 53.3 % < 95 % (7 of 15), shared-incident"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_breaks_no_word(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    summary = {"outcome": "rolled back", "reason": {"why": WHY}}
    played = [
        Played(SCENARIOS[name], summary, {"canary": 3709}, {"canary": 4}, None, 0.8, 0, "")
        for name in ("errors", "engine-killed")
    ]
    _table(Terminal(), played)
    shown = capsys.readouterr().out
    assert all(len(line) <= max(columns, 82) for line in shown.splitlines())
    words = shown.split()
    for word in (*WHY.split(), "engine-killed", "scenario", "outcome", "requests", "rolled", "3,709"):
        assert word in words

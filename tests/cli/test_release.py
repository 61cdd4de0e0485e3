"""The summary of a release that was run here: the record's word, and the run's where that says more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prefect.client.schemas.objects import State as RunState
from prefect.states import Cancelled, Completed, Failed

from serinus.cli.exit_code import BY_OUTCOME, Code
from serinus.cli.release import _of_record
from serinus.cli.terminal import Terminal
from serinus.release.record import Outcome, Record, State
from tests.release.builders import a_release

GOING = a_release().record
BACK = replace(GOING, state=State.ROLLED_BACK, ended=True, outcome=Outcome("31 % > 5 %"))


@pytest.mark.parametrize(
    ("record", "state", "code", "why"),
    [
        (GOING, Failed(name="RollbackFailed", message="the guard goes on"), Code.UNRETURNED, "the guard goes on"),
        (GOING, Failed(name="Fenced", message="somebody else"), Code.FENCED, "somebody else"),
        (BACK, Failed(name="RollbackFailed", message="the guard goes on"), Code.ROLLED_BACK, "31 % > 5 %"),
        (BACK, Cancelled(name="RolledBack", message="x"), Code.ROLLED_BACK, "31 % > 5 %"),
        (GOING, Completed(), Code.GOING, None),
    ],
    ids=["failed to go back", "taken over", "gone back since", "cancelled", "going"],
)
def test_what_it_came_to(record: Record, state: RunState[None], code: Code, why: str | None) -> None:
    said = _of_record(Terminal(), record, "here", state)
    assert (BY_OUTCOME[said["outcome"]], said["reason"].get("why")) == (code, why)

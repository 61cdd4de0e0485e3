"""The summary of a release that was run here: the record's word, and the run's where that says more."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.states import Cancelled, Completed, Failed, Running

from flows.start import Created
from serinus.cli.exit_code import BY_OUTCOME, Code
from serinus.cli.release import _end, _of_record
from serinus.cli.terminal import Terminal
from serinus.errors import Unavailable
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


async def test_a_server_that_is_away_for_a_moment_is_no_end_of_who_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key made the run before, somebody else carries it out."""
    answers: list[Exception | RunState[None] | None] = [Unavailable("restarts"), Running(), Completed()]

    async def state_of(run: str) -> RunState[None] | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("serinus.cli.queue.state_of", state_of)
    run = FlowRun(flow_id=uuid4())
    assert (await _end(Created(run, "", ours=False))).is_completed()
    assert answers == []

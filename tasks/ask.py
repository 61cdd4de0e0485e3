"""Ask something of a release that another process may hold, and see what came of it."""

from __future__ import annotations

from prefect import task

from serinus import wiring
from serinus.moves import ask
from serinus.moves.take_over import reopen as own_again
from serinus.moves.turn import Ended
from serinus.moves.turn import until_ended as ended
from serinus.release.lifecycle import Action, Step
from serinus.release.record import Verb
from tasks.moved import Moved
from tasks.retry import RETRIED

WHO = "a person in Prefect"
"""Prefect vouches for nobody: a claim."""


@task(task_run_name="abort {service}", timeout_seconds=600, **RETRIED)
async def abort(service: str, release: str, why: str) -> Moved:
    """The traffic is returned at once; ending the release is its owner's part, or the guard's."""
    came = await ask.abort(wiring.current().ports, WHO, why, release=release)
    done = (
        f"{came}: its owner takes it back" if isinstance(came, ask.Left) else f"all traffic on stable since {came.at}"
    )
    return Moved(Action(Step.ROLL_BACK, done, "person", "abort"))


@task(task_run_name="ask {service} to promote", timeout_seconds=30, **RETRIED)
async def promote_now(service: str, why: str) -> Moved:
    """Put it in the inbox of the release that is going; `why` of what is returned is the release's id."""
    release = await ask.ask(wiring.current().ports, ask.new_ask(Verb.PROMOTE, WHO, why))
    return Moved(Action(Step.PROMOTE, release, "person", "promote"))


@task(task_run_name="reopen {service}", timeout_seconds=60, **RETRIED)
async def reopen(service: str, why: str) -> Moved:
    """Own the promoted release once more, to undo it."""
    run = wiring.current()
    run.engine, action = await own_again(run.ports, run.owner, WHO, why, run.timing)
    return Moved(action)


@task(task_run_name="until {release} has ended", timeout_seconds=6 * 3600, **RETRIED)
async def until_ended(release: str, asked: Moved) -> Ended:
    """How the release ended, whoever ended it."""
    return await ended(wiring.current().ports, release)

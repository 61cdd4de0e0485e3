"""Wait until the service is free."""

from __future__ import annotations

from prefect import task

from serinus import wiring
from serinus.moves.turn import until_free
from serinus.release.lifecycle import Action, Step
from tasks.moved import Moved
from tasks.retry import RETRIED

LONGEST_SECONDS = 24 * 3600.0


@task(task_run_name="wait for {service}", timeout_seconds=LONGEST_SECONDS, **RETRIED)
async def turn(service: str, seconds: float, before: Moved | None) -> Moved:
    """Until no other release of the service is going, at most so long."""
    await until_free(wiring.current().ports, service, seconds)
    return Moved(Action(Step.ADVANCE, f"no other release of {service} is going"))

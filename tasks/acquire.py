"""Become the owner of the service's release: one at a time."""

from __future__ import annotations

from prefect import task
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from serinus import wiring
from serinus.errors import Busy, PreflightError
from serinus.moves.acquire import acquire as become_owner
from serinus.release.lifecycle import Action, Step
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import key, page, told


@task(task_run_name="acquire {service}", timeout_seconds=300, **RETRIED)
async def acquire(service: str, fit: Moved) -> State[Moved]:
    """Write the release's record.

    Args:
        fit: what preflight found

    Returns:
        `Owner`; or `Busy` where another release of the service is going, `Unfit` where the target changed meanwhile, and the error
        itself. Nothing was touched.
    """
    run = wiring.current()
    try:
        engine = await become_owner(
            run.ports,
            run.plan,
            fit.facts,
            release=run.release,
            owner=run.owner,
            run=page(),
            key=key(),
            timing=run.timing,
        )
    except PreflightError as error:
        return Failed(name="Busy" if isinstance(error, Busy) else "Unfit", message=str(error), data=error)
    run.engine = engine
    why = f"release {run.release}, token {engine.record.token}"
    owner = told("acquire", Moved(Action(Step.ADVANCE, why), facts=fit.facts))
    return Completed(name="Owner", message=why, data=owner)

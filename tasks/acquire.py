"""Become the owner of the service's release: one at a time."""

from __future__ import annotations

from prefect import task
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from serinus import wiring
from serinus.errors import PreflightError
from serinus.moves.acquire import acquire as become_owner
from serinus.release.lifecycle import Action, Step
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import key, page, told

GRACE_SECONDS = 60.0


@task(name="acquire", task_run_name="acquire {service}", timeout_seconds=GRACE_SECONDS, **RETRIED)
async def owned(service: str, wait_seconds: float, fit: Moved) -> State[Moved]:
    """Write the release's record.

    Returns:
        `Owner`; or `Busy` where another release of the service is going, and the error itself.
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
            wait_seconds=wait_seconds,
        )
    except PreflightError as error:
        return Failed(name="Busy", message=str(error), data=error)
    run.engine = engine
    why = f"release {run.release}, token {engine.record.token}"
    return Completed(name="Owner", message=why, data=told("acquire", Moved(Action(Step.ADVANCE, why), facts=fit.facts)))


async def acquire(service: str, wait_seconds: float, fit: Moved) -> State[Moved]:
    """Become the owner.

    Args:
        wait_seconds: how long a release that is going is waited for; 0 refuses at once
        fit: what preflight found
    """
    patient = owned.with_options(timeout_seconds=wait_seconds + GRACE_SECONDS)
    return await patient(service, wait_seconds, fit)

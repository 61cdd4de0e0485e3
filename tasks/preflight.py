"""Is the target fit? Nothing is touched."""

from __future__ import annotations

from prefect import task
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from serinus import wiring
from serinus.errors import PreflightError
from serinus.moves.preflight import preflight as look
from serinus.release.lifecycle import Action, Step
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import told


@task(task_run_name="preflight", timeout_seconds=240, **RETRIED)
async def preflight(service: str, before: Moved | None = None) -> State[Moved]:
    """Read every fact the release starts from.

    Args:
        before: what was waited for

    Returns:
        `Fit`, with the facts and what a person should know of them; or `Unfit` with every finding in its message, and the error
        itself.
    """
    run = wiring.current()
    try:
        facts = await look(run.ports, run.plan)
    except PreflightError as error:
        return Failed(name="Unfit", message=str(error), data=error)
    why = f"{service} runs {facts.stable.version} on {facts.stable.replicas} instances; {run.plan.version} exists"
    why = "; ".join((why, *map(str, facts.notes)))
    fit = told("preflight", Moved(Action(Step.ADVANCE, why), facts=facts))
    return Completed(name="Fit", message=why, data=fit)

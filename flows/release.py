"""A release of one version of one service: the story. Begin here.

Each canary phase is a task with retries and timeouts; a metric-check task gates each advance; a failure branches into the rollback
subflow. What a move does is `serinus.moves`, how it is run `tasks`, what the traffic is doing the release's record: never this run.
"""

from __future__ import annotations

from typing import Any, Literal

import anyio
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.phase import watch
from flows.promotion import make_stable, promoting
from flows.rollback import give_back, returning
from flows.subflow import inside
from serinus.errors import Fenced, PolicyError, PreflightError, RollbackError, SerinusError
from serinus.moves.close import close_held
from serinus.moves.engine import Engine
from serinus.moves.undo import touches_stable
from serinus.release.lifecycle import Action, Step
from serinus.wiring import Run, enter, held
from tasks.acquire import acquire
from tasks.cancel import cancellable
from tasks.moved import Moved
from tasks.preflight import preflight
from tasks.report import final
from tasks.retry import handed
from tasks.shift import shift
from tasks.show import refused, shown
from tasks.start import start


@flow(name="release", flow_run_name="{service} {version}")
async def release(
    service: str, version: str, policy: dict[str, Any] | None = None, if_busy: Literal["refuse", "wait"] = "refuse"
) -> State[Any]:
    """Release one version of one service behind a canary.

    Args:
        service: the service, by the name of its policy
        version: image tag or digest to release
        policy: the policy whole, as its file reads; none: the file of that service beside the deployment
        if_busy: where another release of the service is going: refuse, or wait for its end
    """
    try:
        async with enter(service, version, policy) as run, shown(run), cancellable(run) as cancel:
            stopped = await run_or_return(run, wait=if_busy == "wait")
            return final(held().record, cancelled=stopped or cancel.asked)
    except (PolicyError, PreflightError) as error:
        return await refused(service, version, error)
    except Fenced as error:
        return Failed(name="Fenced", message=f"somebody else holds the release now: {error}")
    except SerinusError as error:
        return Failed(name="RollbackFailed", message=f"the guard goes on trying: {error}")


async def run_or_return(run: Run, wait: bool) -> bool:
    """Whatever stops the story half-way: first the traffic, then everything else, shielded from whoever cancels.

    Returns:
        whether it was cancelled from outside.
    """
    try:
        await story(run, wait)
    except (PreflightError, Fenced):
        raise
    except BaseException as error:
        if run.engine is None:
            raise
        with anyio.CancelScope(shield=True):
            await taken_back(run.engine, f"stopped: {str(error) or type(error).__name__}")
        return not isinstance(error, Exception)
    return False


async def taken_back(engine: Engine, why: str) -> None:
    """The way back needs no Prefect: it is closed here and now, and then told."""
    if engine.record.ended:
        return
    if not touches_stable(engine.record):
        await close_held(engine, why)
    try:
        await inside(returning, give_back, Moved(Action(Step.ROLL_BACK, why, "engine", "stopped")), why)
    except Exception as error:
        raise RollbackError(f"{engine.release} is not ended: {error}") from error


async def story(run: Run, wait: bool) -> None:
    """Preflight, phases, then promotion or rollback."""
    moved = await phases(run, wait)
    if moved.promotes:
        moved = await inside(promoting, make_stable, moved, f"{run.plan.version} becomes stable")
    if moved.ends:
        await inside(returning, give_back, moved, moved.reason)


async def phases(run: Run, wait: bool) -> Moved:
    """Shift, hold, gate; and so on until the gate says promote, or that the traffic is to be returned."""
    plan = run.plan
    fit = await handed(preflight(plan.service))
    owner = await handed(acquire(plan.service, plan.limits.duration_seconds if wait else 0.0, fit))
    moved = await handed(start(plan.version, owner))
    for number, phase in enumerate(plan.phases):
        if moved.advances:
            moved = await watch(str(phase.weight), await handed(shift(str(phase.weight), number, moved)))
    return moved

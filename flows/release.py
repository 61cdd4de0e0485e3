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

from flows.ownership import own
from flows.phase import watch
from flows.promotion import make_stable, promoting
from flows.rollback import give_back, let_go, returning, take_back
from flows.subflow import inside
from serinus.errors import Fenced, RollbackError, SerinusError, Unrecorded
from serinus.wiring import Run, enter, held
from tasks.cancel import cancellable
from tasks.moved import Moved
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
            stopped = await story(run, wait=if_busy == "wait")
            record = held().record
            return final(version, record.state, record.outcome, cancelled=stopped or cancel.asked)
    except Unrecorded as error:
        return Failed(name="Fenced", message=str(error))
    except Fenced as error:
        return Failed(name="Fenced", message=f"somebody else holds the release now: {error}")
    except RollbackError as error:
        return Failed(name="RollbackFailed", message=f"the guard goes on trying: {error}")
    except SerinusError as error:  # policy, preflight, a service that is busy: nothing was touched
        return await refused(service, version, error)


async def story(run: Run, wait: bool) -> bool:
    """Phases, then promotion or rollback; whatever stops it half-way, the traffic goes back first.

    Returns:
        whether it was cancelled from outside.
    """
    try:
        moved = await phases(run, wait)
        if moved.promotes:
            moved = await inside(promoting, make_stable, moved, f"{run.plan.version} becomes stable")
        if moved.ends:
            await inside(returning, give_back, moved, moved.reason)
    except Unrecorded as gone:
        if run.engine is None:  # nothing of it is on the route yet
            raise
        raise await let_go(run.engine, gone) from gone
    except Fenced:
        raise
    except BaseException as error:  # a cancel, a time-out, a bug
        if run.engine is None:
            raise
        with anyio.CancelScope(shield=True):
            await take_back(run.engine, error)
        return not isinstance(error, Exception)
    return False


async def phases(run: Run, wait: bool) -> Moved:
    """Shift, hold, gate, and so on, until a gate says promote, or that the traffic is to be returned."""
    moved = await handed(start(run.plan.version, await own(run.plan, wait)))
    for number, phase in enumerate(held().plan.phases):
        if moved.advances:
            weight = str(phase.weight)
            moved = await watch(weight, await handed(shift(weight, number, moved)))
    return moved

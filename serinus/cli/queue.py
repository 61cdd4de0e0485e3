"""What the Prefect server that is meant has in hand: who would take a run, and which runs of a service are still to come.

To be asked inside `connected`. It only says what the server believes; what a release does is its record's word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from flows.server import asked
from flows.start import DEPLOYING
from serinus.within import within

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

POOL = "serinus"
ANSWER_SECONDS = 2.0
SOON = timedelta(seconds=10)
"""What a schedule plans for later is not waited for."""
LISTED = 200
BEGUN = {StateType.PENDING, StateType.RUNNING}


@dataclass(frozen=True, slots=True)
class Coming:
    """A run that has not ended.

    Args:
        state: its name: `Scheduled`, `Late`, `Pending`, `Running`
    """

    id: str
    service: str
    name: str
    state: str


async def lacking() -> str:
    """Why nobody would take a run now, in a sentence; empty where a worker is online.

    Raises:
        Refused, Unavailable: the server does not say
    """
    with asked("a question about its workers", f"there is no work pool {POOL}: {DEPLOYING}"):
        async with within(ANSWER_SECONDS), get_client() as client:
            pool = await client.read_work_pool(POOL)
            workers = await client.read_workers_for_work_pool(POOL)
    if pool.is_paused:
        return f"the work pool {POOL} is paused"
    online = any(worker.status == "ONLINE" for worker in workers)
    return "" if online else f"no worker of the work pool {POOL} is online"


async def coming(service: str, told: str = "") -> Coming | None:
    """The run of that service that is next: the one that runs, else the one that is due first; None: there is none.

    Args:
        told: where the run of the service's newest release can be watched: it is over, whatever the server still believes

    Raises:
        Refused, Unavailable: the server does not say
    """
    kinds = FlowRunFilterStateType(any_=[StateType.SCHEDULED, *BEGUN])
    with asked("a question about its runs"):
        async with within(ANSWER_SECONDS), get_client() as client:
            runs = await client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=["release"])),
                flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=kinds)),
                sort=FlowRunSort.EXPECTED_START_TIME_ASC,
                limit=LISTED,
            )
            over = await _of(client, told)
    ours = [run for run in runs if run.parameters.get("service") == service and str(run.id) not in told]
    return _next(service, (run for run in ours if _due(run) and not _lost(run, over)))


async def _of(client: PrefectClient, page: str) -> FlowRun | None:
    """The run that this page shows, where it is one of this server's."""
    try:
        return await client.read_flow_run(UUID(page.rpartition("/")[2]))
    except (ValueError, ObjectNotFound):
        return None


def _next(service: str, runs: Iterable[FlowRun]) -> Coming | None:
    found = sorted(runs, key=lambda run: run.state_type not in BEGUN)  # stable: the earliest of each stays first
    if not found:
        return None
    run = found[0]
    return Coming(str(run.id), service, run.name, run.state_name or "")


def _due(run: FlowRun) -> bool:
    at = run.next_scheduled_start_time
    return run.state_type in BEGUN or at is None or at < datetime.now(UTC) + SOON


def _lost(run: FlowRun, over: FlowRun | None) -> bool:
    """Its engine died long ago, and the server was never told: a later release has begun, and it does not wait for that one's end.

    Both times are the server's own.
    """
    if run.state_type not in BEGUN or run.parameters.get("if_busy") == "wait" or not over or not over.start_time:
        return False
    began = run.start_time or run.expected_start_time
    return began is not None and began < over.start_time


async def state_of(run: str) -> State | None:
    """How a run stands.

    Raises:
        Refused, Unavailable: the server does not say
    """
    with asked("a question about the run", f"the run {run} was deleted"):
        async with within(ANSWER_SECONDS), get_client() as client:
            return (await client.read_flow_run(UUID(run))).state


async def give_up(run: FlowRun) -> None:
    """Nobody is to begin it; where a worker has, it takes that as the cancel of the UI: an abort.

    Raises:
        Refused, Unavailable: the server does not take that
    """
    from prefect.states import Cancelled, Cancelling

    why = "interrupted before it began"
    alone = run.state_type is StateType.PENDING  # made to be run by who made it
    with asked("the end of the run"):
        async with within(ANSWER_SECONDS), get_client() as client:
            wanted: State = Cancelled(message=why) if alone else Cancelling(message=why)
            await client.set_flow_run_state(run.id, wanted, force=alone)

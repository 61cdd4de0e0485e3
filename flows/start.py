"""Start a release by its deployment: run here, in this process, or created for a worker. Its history is in the UI either way.

The address of the server is Prefect's own setting; whoever starts says which is meant.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import wraps
from typing import Any

from prefect import Flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.events.worker import EventsWorker
from prefect.flow_engine import run_flow_async
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, get_current_settings, temporary_settings
from prefect.states import Pending

from flows.release import release
from flows.server import NO_ANSWER, answers, asked
from serinus.errors import Unavailable
from serinus.within import within
from tasks.books import Books
from tasks.show import unsent

log = logging.getLogger("serinus.start")
DEPLOYMENT = "release/release"
DEPLOYING = "prefect work-pool create --type process serinus; prefect --no-prompt deploy --all"
"""What a server is given once; `deploy --all` alone is refused where there is no work pool."""
OLDEST_SERVER = "3.6.14"
"""Of the servers whose history of a release is whole. An older one does not take this client's events."""
CALL = "serinus.call"
"""Label of a run: which call made it, so that a key that was used before is seen."""
ASK_SECONDS, ANSWER_SECONDS, ASK_AGAIN_SECONDS = 30.0, 2.0, 1.0
END_RETRIES = 12
END_SECONDS = 90.0
GONE_SECONDS = 35.0
"""The end of a run is told to a server that comes back; one that has not answered for so long is taken to be gone."""


@dataclass(frozen=True)
class Created:
    """A run of the release's deployment.

    Args:
        run: as the server made it
        url: where it can be watched
        ours: made by this very call; else the same key had made it before
    """

    run: FlowRun
    url: str
    ours: bool


def digest(parameters: Mapping[str, Any], key: str) -> str:
    """The idempotency key: of a person's key and every parameter, as the same key with other parameters returns the old run."""
    text = json.dumps([key, parameters], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


async def create(
    service: str,
    version: str,
    policy: Mapping[str, Any] | None = None,
    *,
    key: str,
    if_busy: str = "refuse",
    here: bool,
) -> Created:
    """Create the run, once for each key.

    Args:
        policy: as its file reads; None: the deployed one
        key: the same key with the same parameters is the same release
        here: it will be run by `run_here`; else a worker takes it

    Raises:
        Refused: the deployment is not there, or does not take these parameters
        Unavailable: the server does not answer
    """
    given = {"service": service, "version": version, "policy": policy, "if_busy": if_busy}
    parameters = {name: value for name, value in given.items() if value is not None}
    with asked("the release", f"the deployment {DEPLOYMENT} is not on this server: {DEPLOYING}"):
        async with within(ASK_SECONDS), get_client() as client:
            return await _create(client, parameters, digest(parameters, key), here)


async def _create(client: PrefectClient, parameters: dict[str, Any], key: str, here: bool) -> Created:
    deployment = await client.read_deployment_by_name(DEPLOYMENT)
    mine = secrets.token_hex(8)
    run = await client.create_flow_run_from_deployment(
        deployment.id,
        parameters=parameters,
        name=f"{parameters['service']} {parameters['version']}",
        idempotency_key=key,
        state=Pending() if here else None,
        labels={CALL: mine},
    )
    return Created(run, address(run), run.labels.get(CALL) == mine)


async def run_here(created: Created) -> State[Any]:
    """Run it in this process, to its end; cancelled, it first gives the traffic back.

    Returns:
        the state in which it ended: `Promoted`, `RolledBack`, `Refused`, `Fenced`, `RollbackFailed`; also where the server is gone
        and could not be told.
    """
    over: asyncio.Future[State[Any]] = asyncio.get_running_loop().create_future()
    flow: Flow[..., Any] = _telling(over)
    cards: list[Books] = []
    before = unsent.set(cards)
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: END_RETRIES}):
        running = asyncio.create_task(
            run_flow_async(flow, created.run, dict(created.run.parameters), return_type="state")
        )
    unsent.reset(before)
    first: set[asyncio.Future[Any]] = {running, over}
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        running.cancel()
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    if over.done():
        await _told(running, cards)
    try:
        return running.result() or over.result()
    except (asyncio.InvalidStateError, *NO_ANSWER) as cause:
        if not over.done():
            raise Unavailable(f"the Prefect server did not let the run begin: {cause}") from cause
        log.warning("%s: the Prefect server was not told how it ended: %s", created.url, cause or "no answer")
        running.cancel()
        return over.result()


async def _told(running: asyncio.Task[Any], cards: list[Books]) -> None:
    """Until the server knows how it ended and has what is to be shown of it, or is gone."""
    sending = {asyncio.create_task(books.close(END_SECONDS)) for books in cards}
    pending: set[asyncio.Task[Any]] = {running, *sending}
    clock = asyncio.get_running_loop().time
    began = heard = clock()
    while pending and clock() - began < END_SECONDS and clock() - heard < GONE_SECONDS:
        _, pending = await asyncio.wait(pending, timeout=ASK_AGAIN_SECONDS)
        if pending and await answers(ANSWER_SECONDS):
            heard = clock()
    for one in sending:
        one.cancel()
    await asyncio.gather(*sending, return_exceptions=True)


def _telling(over: asyncio.Future[State[Any]]) -> Flow[..., Any]:
    """The flow, that also says here in which state its story ended: Prefect says so only once its server has taken it."""
    flow = copy(release)

    @wraps(release.fn)
    async def fn(*given: Any, **named: Any) -> State[Any]:
        state = await release.fn(*given, **named)
        over.set_result(state)
        return state

    flow.fn = fn
    flow.should_validate_parameters = False  # the server has done it, by the deployment's schema
    return flow


async def history_sent(seconds: float) -> bool:
    """Wait until Prefect has sent what it still holds of finished runs (task runs, events, logs), at most so long.

    Returns:
        False where the server did not take it: the interpreter's own exit would then wait for minutes, a program should not
        (`os._exit`). Nothing of a release depends on it.
    """
    events: Any = EventsWorker.drain_all(
        timeout=seconds
    )  # its type says that it may not be awaited: inside a loop it may
    logs: Any = APILogWorker.drain_all(timeout=seconds)
    drained = await asyncio.gather(events, logs)
    return not any(left for _, left in filter(None, drained))


def address(run: FlowRun) -> str:
    """The run's page."""
    settings = get_current_settings()
    ui = settings.ui_url or (settings.api.url or "").removesuffix("/").removesuffix("/api")
    return f"{ui}/runs/flow-run/{run.id}"

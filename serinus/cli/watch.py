"""`serinus watch`: follow a release until it ends; also one that is only queued at the Prefect server.

Without that server it follows what goes, else tells the last one. It writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serinus.cli.exit_code import BY_OUTCOME, Code
from serinus.cli.failure import Usage
from serinus.cli.place import Context, Namespace
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, Service, verb

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from serinus.cli.live import View
    from serinus.cli.queue import Coming
    from serinus.cli.server import Server
    from serinus.ports import Ports
    from serinus.release.plan import Target
    from serinus.release.record import Record
    from serinus.settings import Folders

ASK_SECONDS = 1.0
OUTCOMES = {"Fenced": "fenced", "RollbackFailed": "rollback failed"}
"""Of a run that ended without a record of its own; any other was over before anything was touched."""

Api = Annotated[str, typer.Option("--api", metavar="URL", help="The Prefect server that queues, with /api.")]


@verb
async def watch(
    context: typer.Context,
    service: Service,
    api: Api = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    as_json: Json = False,
) -> Code:
    """Follow a release until it ends. Exit code as of `release`."""
    import asyncio

    from serinus.cli.place import meant
    from serinus.settings import Folders
    from serinus.wiring import open_to_ask

    out, folders = Terminal(as_json), Folders.resolve()
    target = (await meant(service, folders, namespace, kube_context))[service]
    async with open_to_ask(service, folders, target) as ports:
        try:
            ended = await _ended(out, Followed(folders, ports, target), service, api)
        except asyncio.CancelledError:
            out.complain(f"{service} is no longer watched; nothing of it was changed.", "warn")
            return Code.GOING
    out.emit(ended)
    return BY_OUTCOME[ended["outcome"]]


@dataclass(frozen=True, slots=True)
class Followed:
    """What is followed, and where it is."""

    folders: Folders
    ports: Ports
    target: Target


async def _ended(out: Terminal, there: Followed, service: str, api: str) -> dict[str, Any]:
    """The summary of what goes, else of what is queued, else of the last one."""
    from serinus.cli.live import View

    record = await _record(there.ports, service)
    if record is None or record.ended:
        server, run, why = await _queued(there.folders, service, record, api)
        if server and run:
            return await _come(out, there, server, run)
        if record is None:
            raise Usage(
                f"{service} has never had a release, and {why}; `serinus release {service} VERSION` starts one."
            )
        out.say(f"nothing of {service} is going, and {why}; its last release:", "dim")
    with View(out) as view:
        await _follow(view, there)
    return await _summed(there, service)


async def _summed(there: Followed, service: str) -> dict[str, Any]:
    from serinus.moves.summary import summary
    from serinus.wiring import evidence_of

    record = await _record(there.ports, service)
    if record is None:
        raise Usage(f"the record of {service} is gone: somebody removed it")
    return summary(record, evidence_of(there.target, there.folders, record.release))


async def _record(ports: Ports, service: str) -> Record | None:
    """The newest release's; None: there has been none.

    Raises:
        Usage: another version of serinus wrote it
    """
    from serinus.release.record import Foreign

    kept = await ports.ledger.read()
    record = kept.record if kept else None
    if isinstance(record, Foreign):
        raise Usage(f"the record of {service} was written by another version of serinus")
    return record


async def _queued(
    folders: Folders, service: str, last: Record | None, api: str
) -> tuple[Server | None, Coming | None, str]:
    """The server, and the run that is to come; without one why there is nothing to wait for, in words."""
    import asyncio

    from serinus.cli.server import choose, connected
    from serinus.errors import PlatformError

    try:
        server = await asyncio.to_thread(choose, api, folders)
    except Usage:
        return None, None, "no Prefect server is named that could have it queued"
    from serinus.cli.queue import coming

    with connected(server):
        try:
            run = await coming(service, last.run if last else "")
        except PlatformError as cause:
            return server, None, f"what is queued is not known ({cause})"
    return server, run, "nothing of it is queued"


async def _come(out: Terminal, there: Followed, server: Server, run: Coming) -> dict[str, Any]:
    """Wait for that run's release and follow it; where the run ends without one, say how."""
    from serinus.cli.live import View

    with View(out) as view:
        state = await _awaited(view, there, server, run)
    if state is None:
        return await _summed(there, run.service)
    told = f"{run.name} ended without a release: {state.name}" + (f": {state.message}" if state.message else "")
    out.complain(told)
    outcome = OUTCOMES.get(state.name or "", "refused")
    return {"service": run.service, "outcome": outcome, "run": run.id, "reason": {"why": told}}


async def _awaited(view: View, there: Followed, server: Server, run: Coming) -> State | None:
    """Follow the release of that run, from its first record on; the run's last state where it ended without one."""
    import asyncio

    from serinus.cli.server import connected

    def ours(record: Record) -> bool:
        return run.id in record.run

    with connected(server):
        following = asyncio.create_task(_follow(view, there, ours))
        ending = asyncio.create_task(_over(view, run))
        try:
            await asyncio.wait({following, ending}, return_when=asyncio.FIRST_COMPLETED)
            record = await _record(there.ports, run.service)
            if following.done() or (record is not None and ours(record)):
                await following
                return None
            return await ending
        finally:
            following.cancel()
            ending.cancel()


async def _follow(view: View, there: Followed, wanted: Any = lambda record: True) -> None:
    from serinus.cli.follow import moments, pace

    async for moment in moments(there.ports, wanted, pace(there.target)):
        view.show(moment)


async def _over(view: View, run: Coming) -> State:
    """Until the server says that the run has ended; what it waits for is said as it changes."""
    import asyncio
    from contextlib import suppress

    from serinus.cli.queue import lacking, state_of
    from serinus.errors import Unavailable

    said = ""
    while True:
        with suppress(Unavailable):  # the record is followed anyway
            state = await state_of(run.id)
            if state and state.is_final():
                return state
            why = await lacking() if state and state.is_scheduled() else ""
            runs = state is not None and state.is_running()
            now = f"{run.name} is running" if runs else f"waits for {run.name}, {state.name if state else 'unknown'}"
            now += f": {why}" if why else ""
            if now != said:
                view.note(now)
            said = now
        await asyncio.sleep(ASK_SECONDS)

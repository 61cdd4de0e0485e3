"""Giving the traffic back: the chapter of a release that failed, and a deployment that takes any release back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.subflow import Chapter, inside
from serinus import wiring
from serinus.errors import Fenced, RollbackError, SerinusError, Unrecorded
from serinus.ground import located
from serinus.moves.close import close_unrecorded
from serinus.moves.engine import Engine
from serinus.moves.heed import heed
from serinus.moves.undo import touches_stable
from serinus.release.lifecycle import Action, Step
from serinus.settings import Folders
from tasks.announce import announce
from tasks.ask import abort, reopen, until_ended
from tasks.close import close
from tasks.moved import Moved
from tasks.report import final
from tasks.roll_back import roll_back
from tasks.show import refused
from tasks.undo import undo


async def let_go(engine: Engine, gone: Unrecorded) -> Unrecorded:
    """Return the traffic of a release whose record is gone; a cancel of this run waits for that, as nobody else knows of it."""
    closing = asyncio.ensure_future(close_unrecorded(engine, str(gone)))
    while not closing.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(closing)
    return Unrecorded(closing.result())


@flow(name="rollback", flow_run_name="{name}", validate_parameters=False)
async def returning(name: str, before: Moved, chapter: Chapter) -> State[Moved]:
    """The chapter of a release that ends it, named after its reason."""
    after = await chapter.make()
    return Completed(name="Returned", message=f"all traffic on stable: {name}", data=after)


async def give_back(moved: Moved) -> Moved:
    """The traffic first, then everything as it was, then people."""
    if touches_stable(wiring.held().record):
        moved = await undo(wiring.held().record.previous.version, moved)
    else:
        moved = await close(moved)
    return await announce(await roll_back(moved))


async def take_back(engine: Engine, stopped_by: BaseException) -> None:
    """The way back of a release that was stopped half-way: closed here and now, whatever Prefect does, and then told.

    Raises:
        RollbackError: the release is not ended; the guard goes on
    """
    if engine.record.ended:
        return
    cancelled = isinstance(stopped_by, asyncio.CancelledError)
    why = "the run was cancelled" if cancelled else f"stopped: {str(stopped_by) or type(stopped_by).__name__}"
    action = Action(Step.ROLL_BACK, why, "engine", "stopped")
    try:
        await heed(engine, action)
        await inside(returning, give_back, Moved(action), why)
    except Fenced:
        raise
    except Exception as error:
        raise RollbackError(f"{engine.release} is not ended: {error}") from error


@flow(name="rollback", flow_run_name="{service}: {why}")
async def rollback(service: str, why: str = "asked for in Prefect", namespace: str = "") -> State[Any]:
    """Take a service's release back, whoever runs it.

    One that is going is aborted: its traffic is returned here and now, its owner ends it. One that was promoted is undone: the
    previous version is put back.

    Args:
        service: the service, by the name of its policy
        why: for the evidence
        namespace: where it is on Kubernetes; empty: the local platform, else as its deployed policy says, else the worker's own
    """
    try:
        async with wiring.resume(service, await located(service, Folders.resolve(), namespace)) as run:
            kept = await run.ports.ledger.read()
            if kept is not None and not kept.record.ended:
                going = kept.record.release
                end = await until_ended(going, await abort(service, going, why))
                return final(run.plan.version, end.state, end.outcome)
            try:
                await give_back(await reopen(service, why))
            except SerinusError as error:
                if run.engine is None:
                    raise
                if not run.engine.record.ended:
                    return Failed(name="RollbackFailed", message=f"the guard goes on trying: {error}")
                # It is undone, and its task shows that people could not be told.
            return Completed(name="RolledBack", message=f"{wiring.held().record.previous.version} is back: {why}")
    except SerinusError as error:
        return await refused(service, "rollback", error)

"""`serinus abort | pause | resume | promote | rollback`: what anybody may ask of a release, with no Prefect server.

An ask goes through the record's inbox; an abort also closes the route at once, whoever owns the release.
"""

from __future__ import annotations

import getpass
import socket
from typing import TYPE_CHECKING, Annotated

import typer

from serinus.cli.exit_code import Code
from serinus.cli.failure import Usage
from serinus.cli.place import Context, Namespace
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, Service, Why, verb

if TYPE_CHECKING:
    from serinus.moves.ask import Left
    from serinus.moves.engine import Closed
    from serinus.ports import Kept, Ports
    from serinus.release.plan import Target
    from serinus.release.record import Foreign, Record, Verb
    from serinus.settings import Folders


@verb
async def abort(
    context: typer.Context,
    service: Service,
    why: Why = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    as_json: Json = False,
) -> Code:
    """End the live release: all traffic to stable now."""
    from serinus.wiring import open_to_ask

    folders, target = await _where(service, namespace, kube_context)
    async with open_to_ask(service, folders, target) as ports:
        return await _abort(Terminal(as_json), ports, target, service, why)


@verb
async def pause(
    context: typer.Context,
    service: Service,
    why: Why = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    as_json: Json = False,
) -> Code:
    """Keep weight and checks; the soak stands still."""
    from serinus.release.record import Verb

    where = await _where(service, namespace, kube_context)
    return await _ask(Terminal(as_json), where, service, Verb.PAUSE, why)


@verb
async def resume(
    context: typer.Context,
    service: Service,
    why: Why = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    as_json: Json = False,
) -> Code:
    """End a pause."""
    from serinus.release.record import Verb

    where = await _where(service, namespace, kube_context)
    return await _ask(Terminal(as_json), where, service, Verb.RESUME, why)


@verb
async def promote(
    context: typer.Context,
    service: Service,
    despite_gate: Annotated[
        bool, typer.Option("--despite-gate", help="Also where a gate holds or fails; needs --why.")
    ] = False,
    why: Why = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    as_json: Json = False,
) -> Code:
    """Skip the remaining phases at the next check that passes."""
    from serinus.release.record import Verb

    if despite_gate and not why.strip():
        raise Usage('promoting despite a gate needs a reason: --why "..."; it is kept in the evidence.')
    where = await _where(service, namespace, kube_context)
    return await _ask(Terminal(as_json), where, service, Verb.PROMOTE, why, despite_gate)


@verb
async def rollback(
    context: typer.Context,
    service: Service,
    why: Why = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    as_json: Json = False,
) -> Code:
    """Take back the newest release, promoted or not."""
    from serinus.wiring import open_ports

    out = Terminal(as_json)
    folders, target = await _where(service, namespace, kube_context)
    async with open_ports(service, folders, target=target) as ports:
        kept = await ports.ledger.read()
        if kept is not None and not kept.record.ended:
            return await _abort(out, ports, target, service, why)
        await _undoable(ports, kept)
        return await _undo(out, ports, folders, target, why)


async def _where(service: str, namespace: str, context: str) -> tuple[Folders, Target]:
    from serinus.cli.place import meant
    from serinus.settings import Folders

    folders = Folders.resolve()
    return folders, (await meant(service, folders, namespace, context))[service]


async def _undoable(ports: Ports, kept: Kept | None) -> None:
    """The way, where the newest release has been taken back already: what was promoted before it is undone by another release.

    Raises:
        PreflightError: it has been; nothing was touched
    """
    from contextlib import suppress

    from serinus.errors import Finding, PlatformError, PreflightError
    from serinus.release.record import Record, State

    record = kept.record if kept else None
    if isinstance(record, Record) and record.state is State.ROLLED_BACK:
        service, stable = record.plan.service, record.previous.version
        with suppress(PlatformError):  # else as it was left
            stable = (await ports.workload.stable()).version
        what = (
            f"the last release, {record.release} of {record.plan.version}, is rolled back already: stable is {stable}"
        )
        mend = f"to take {stable} back as well, release the version before it: serinus release {service} VERSION"
        raise PreflightError((Finding(what, f"service {service}", mend),))


async def _ask(
    out: Terminal, where: tuple[Folders, Target], service: str, wanted: Verb, why: str, despite_gate: bool = False
) -> Code:
    from serinus.moves.ask import ask, new_ask
    from serinus.wiring import open_to_ask

    async with open_to_ask(service, *where) as ports:
        so = _already(await _needs_live(ports, where[1], service), wanted)
        if so:
            out.result({"service": service, "asked": None, "already": so}, f"{service} is {so}: nothing was asked.")
            return Code.DONE
        release = await ask(ports, new_ask(wanted, who(), why, despite_gate=despite_gate))
    asked = {"service": service, "release": release, "asked": str(wanted), "who": who(), "why": why}
    out.result(asked, f"{release} was asked to {wanted}; `{where[1].typed('watch', service)}` follows it.")
    return Code.DONE


async def _abort(out: Terminal, ports: Ports, target: Target, service: str, why: str) -> Code:
    """Close the route, ask the owner to end the release; done when the release has ended or its owner is slow to."""
    from serinus.moves.ask import abort
    from serinus.moves.engine import Closed
    from serinus.release.mark import Mode
    from serinus.wiring import timing

    mark = (await ports.router.read()).mark
    if mark is None or mark.mode in (Mode.CLOSED, Mode.REPLACED):
        await _needs_live(ports, target, service)
    came = await abort(ports, who(), why, timing=timing(target))
    closed = came if isinstance(came, Closed) else None
    answer = {"service": service, "asked": "abort", "who": who(), "why": why, "closed": closed is not None}
    out.result(
        {**answer, "seconds": closed.seconds if closed else None},
        f"{service}: {_returned(came)}; `{target.typed('watch', service)}` follows its end.",
        "good",
    )
    return Code.DONE


def _returned(came: Closed | Left) -> str:
    """What an abort has done, and what its owner does."""
    from serinus.moves.ask import Left

    if came is Left.UNSERVED:
        return f"{came}: its owner ends the release before anything does"
    if came is Left.PROMOTING:
        return f"{came}: its owner puts the previous one back, then the traffic"
    return f"the canary's weight is 0, read back {1000 * came.seconds:.0f} ms after it was asked"


async def _undo(out: Terminal, ports: Ports, folders: Folders, target: Target, why: str) -> Code:
    """Own the promoted release again and undo it, here, while its moments are shown."""
    from serinus.cli.brought import bring
    from serinus.cli.follow import beside, pace
    from serinus.cli.live import View
    from serinus.errors import PlatformError, RollbackError
    from serinus.moves.roll_back import roll_back
    from serinus.moves.summary import summary
    from serinus.moves.take_over import reopen
    from serinus.stores import process
    from serinus.wiring import timing

    engine, action = await reopen(ports, process.owner(), who(), why, timing(target))
    release = engine.release
    try:
        with View(out) as view:
            undoing = roll_back(engine, action)
            await beside(undoing, ports, view.show, lambda record: record.release == release, pace(target))
    except PlatformError as cause:
        if engine.record.ended:
            raise
        raise RollbackError(f"{release} is not undone yet, and the guard goes on: {cause}") from cause
    ended = summary(engine.record, await bring(ports, target, folders, engine.record))
    out.emit(ended)
    undone = engine.record.ended
    out.say(f"{engine.plan.service} runs {engine.record.previous.version} again.", "good" if undone else "bad")
    return Code.DONE if undone else Code.UNRETURNED


async def _needs_live(ports: Ports, target: Target, service: str) -> Record | Foreign:
    """The record of the release that is going. Raises Usage where none is."""
    kept = await ports.ledger.read()
    if kept is None:
        raise Usage(f"{service} has never had a release.")
    if kept.record.ended:
        last = f"the last was {kept.record.release} (`{target.typed('status', service)}`)"
        raise Usage(f"No release of {service} is going; {last}.")
    return kept.record


def _already(record: Record | Foreign, wanted: Verb) -> str:
    """Why a pause or its end changes nothing, in a word or two; empty where it does."""
    from serinus.release.record import Record, Verb

    if not isinstance(record, Record) or wanted not in (Verb.PAUSE, Verb.RESUME):
        return ""
    asked = [ask.verb for ask in record.inbox if ask.verb in (Verb.PAUSE, Verb.RESUME)]
    paused = asked[-1] is Verb.PAUSE if asked else record.paused
    if paused is (wanted is Verb.PAUSE):
        return "paused already" if paused else "not paused"
    return ""


def who() -> str:
    """Who asks: a claim that nobody vouches for, and recorded as one."""
    return f"{getpass.getuser()}@{socket.gethostname()}"

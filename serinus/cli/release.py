"""`serinus release`: one release, run by Prefect in this process (or created for a worker), and watched.

The run is the deployment's, so its history is in the UI like any other. What a release does is `flows` and `serinus.moves`; what
Ctrl-C does to it is `interrupt`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serinus.cli.exit_code import BY_OUTCOME, Code
from serinus.cli.failure import NotBegun, Usage
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, Service, heard, verb

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from prefect.client.schemas.objects import State

    from flows.start import Created
    from serinus.cli.server import Server
    from serinus.release.plan import Target
    from serinus.release.record import Record
    from serinus.settings import Folders

HISTORY_SECONDS = 5.0
NOTHING = "interrupted, nothing had begun"
ENDED = {"Refused": "refused", "Cancelled": "refused", "Fenced": "fenced", "RollbackFailed": "rollback failed"}
"""Final states of a run that say more than the record, which may be another's or not written at all."""

Policy = Annotated[Path | None, typer.Option("--policy", metavar="FILE", help="A policy instead of the deployed one.")]
Submit = Annotated[bool, typer.Option("--submit", help="Create the run for a worker and end at once, with code 7.")]
Wait = Annotated[bool, typer.Option("--wait", help="Where another release of the service is going, wait for its end.")]
Key = Annotated[str, typer.Option("--key", help="The same key is the same release, however often it is asked for.")]
Api = Annotated[str, typer.Option("--api", metavar="URL", help="The Prefect server, with /api.")]


@verb
async def release(
    context: typer.Context,
    service: Service,
    version: Annotated[str, typer.Argument(help="The version: an image's tag or digest.")],
    policy: Policy = None,
    submit: Submit = False,
    wait: Wait = False,
    key: Key = "",
    api: Api = "",
    as_json: Json = False,
) -> Code:
    """Release a version behind a canary, and follow it; Ctrl-C takes it back."""
    import asyncio
    import secrets

    from serinus.cli.interrupt import held_back
    from serinus.cli.server import connected
    from serinus.settings import Folders

    out, folders = Terminal(as_json), Folders.resolve()
    sent, target = _sound(service, version, policy)
    out.say(f"asking the Prefect server to begin {service} {version}; Ctrl-C takes it back", "dim")
    with held_back():
        server = await _chosen(api, folders)
        with connected(server):
            from flows.start import create

            wish = "wait" if wait else "refuse"
            making = create(service, version, sent, key=key or secrets.token_hex(8), if_busy=wish, here=not submit)
            return await _released(out, folders, service, target, asyncio.ensure_future(making), submit)


async def _chosen(api: str, folders: Folders) -> Server:
    """The server to ask, and Prefect imported, which takes as long: whoever ends it meanwhile has begun nothing."""
    import asyncio

    from serinus.cli.server import choose

    try:
        server = await asyncio.to_thread(choose, api, folders)
        import flows.start  # noqa: F401
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise NotBegun from None
    return server


async def _released(
    out: Terminal, folders: Folders, service: str, target: Target, making: asyncio.Future[Created], submit: bool
) -> Code:
    """From the run that is being made to its end, or back from where Ctrl-C comes before `_followed` takes it for itself."""
    import asyncio

    try:
        run = await asyncio.shield(making)
        if submit:
            return await _submitted(out, folders, target, run)
        if run.ours:
            out.say("the run is made; asks whether the release can begin before it touches anything", "dim")
        ended = await _followed(out, folders, service, target, run)
        out.emit(ended)
        await _history(out, BY_OUTCOME[ended["outcome"]])
    except asyncio.CancelledError:
        raise NotBegun(await _withdrawn(making, target.typed("watch", service))) from None
    return BY_OUTCOME[ended["outcome"]]


async def _submitted(out: Terminal, folders: Folders, target: Target, run: Created) -> Code:
    """Say whether anybody will take it."""
    from prefect.settings import PREFECT_API_URL

    from serinus.cli.queue import POOL, lacking
    from serinus.errors import PlatformError

    service = run.run.parameters["service"]
    try:
        why = await lacking()
        told = f"{why}: the run waits until there is one" if why else "a worker takes it"
    except PlatformError as cause:
        why, told = str(cause), f"whether a worker takes it is not known: {cause}"
    going = {"service": service, "version": run.run.parameters["version"], "outcome": "going", "run": run.url}
    out.result({**going, "lacking": why}, f"{run.url}\n{told}; `{target.typed('watch', service)}` follows it")
    if why:
        where = f"PREFECT_API_URL={PREFECT_API_URL.value()} SERINUS_STATE={folders.state}"
        out.complain(f"Start a worker: {where} prefect worker start --pool {POOL} --type process", "warn")
    return Code.GOING


async def _withdrawn(making: asyncio.Future[Created], watch: str) -> str:
    """Nothing was recorded: a run that may have been made is not to be begun by anybody. Returns what a person is told.

    Args:
        watch: what a person types to follow it
    """

    from serinus.cli.queue import ANSWER_SECONDS, give_up
    from serinus.errors import SerinusError
    from serinus.within import within

    try:
        async with within(ANSWER_SECONDS):
            made = await making
        if made.ours:
            await give_up(made.run)
    except (SerinusError, TimeoutError):
        return f"The Prefect server did not say whether it keeps the run: `{watch}` tells."
    return ""


async def _history(out: Terminal, code: Code) -> None:
    """Leave at once where the server does not take what Prefect still has to tell it: the interpreter's own exit waits for minutes."""
    import os

    from flows.start import history_sent

    if not await history_sent(HISTORY_SECONDS):
        out.complain("The Prefect server does not take the rest of this run's history: there it is incomplete.", "warn")
        os._exit(heard(code))


def _sound(service: str, version: str, policy: Path | None) -> tuple[Mapping[str, Any] | None, Target]:
    """The policy to send, known to be sound before anything is asked of anybody (None: the deployed one), and where it releases.

    Raises:
        PolicyError, Usage: it is not, or it is another service's
    """
    from serinus.policy.load import by_name, read, to_plan

    sound = read(policy or by_name(service))
    planned = to_plan(sound, version)
    if planned.service != service:
        raise Usage(f"{policy} is the policy of {planned.service}, not of {service}.")
    return sound.given if policy else None, planned.target


async def _followed(out: Terminal, folders: Folders, service: str, target: Target, run: Created) -> dict[str, Any]:
    """Run it here, or where the same key made it before, wait for its end; shown meanwhile. Returns the summary."""
    import asyncio

    from prefect.states import Failed

    from serinus.cli.brought import bring
    from serinus.cli.follow import beside, pace
    from serinus.cli.interrupt import interruptible
    from serinus.cli.live import View
    from serinus.cli.server import quiet
    from serinus.release.record import Record
    from serinus.wiring import open_to_ask

    name = str(run.run.id)

    def ours(record: Record) -> bool:
        return name in record.run

    async with open_to_ask(service, folders, target) as ports:
        with View(out) as view, quiet(view.note):
            if not run.ours:
                view.note(f"the same key made this release before: {run.url}")
            async with interruptible(out, view.note, ports, ours) as until:
                try:
                    state = await beside(until(_end(run)), ports, view.show, ours, pace(target))
                except asyncio.CancelledError:
                    state = Failed(name="Refused", message=NOTHING)
        kept = await ports.ledger.read()
        record = kept.record if kept else None
        if isinstance(record, Record) and ours(record):
            return _of_record(out, record, await bring(ports, target, folders, record), state)
        return _of_run(out, target, run, state)


async def _end(run: Created) -> State[Any]:
    """Until the run has ended."""
    import asyncio
    from contextlib import suppress

    from flows.start import run_here
    from serinus.cli.queue import state_of
    from serinus.errors import Unavailable

    if run.ours:
        return await run_here(run)
    while True:
        with suppress(Unavailable):  # the release goes on without its server, and so does who looks on
            state = await state_of(str(run.run.id))
            if state and state.is_final():
                return state
        await asyncio.sleep(1.0)


def _of_record(out: Terminal, record: Record, evidence: str, state: State[Any]) -> dict[str, Any]:
    """The record's word, where it is this run's; the run's where it let go of a release that has not ended, or was taken over."""
    from serinus.moves.summary import summary

    said = summary(record, evidence)
    if state.name == "Fenced" or (state.name == "RollbackFailed" and not record.ended):
        said["outcome"] = ENDED[state.name]
        said["reason"].setdefault("why", state.message or "")
    _tell(out, said, record.plan.target)
    return said


def _of_run(out: Terminal, target: Target, run: Created, state: State[Any]) -> dict[str, Any]:
    """The run's state, where the record is another's or was not written at all."""
    outcome = ENDED.get(state.name or "", "promoted" if state.name == "Promoted" else "rolled back")
    asked = run.run.parameters
    said = {"service": asked["service"], "version": asked["version"], "outcome": outcome, "run": run.url}
    said["reason"] = {"why": state.message or ""}
    _tell(out, said, target)
    return said


def _tell(out: Terminal, said: Mapping[str, Any], target: Target) -> None:
    """The last lines: what the view has not said, and where to read more."""
    why = said.get("reason", {}).get("why", "")
    if said["outcome"] == "refused":
        out.complain(f"Refused before anything was touched: {why}")
    elif said["outcome"] not in ("promoted", "rolled back"):
        out.complain(f"{said['outcome']}: {why}; `{target.typed('status', said['service'])}` says what serves now")
    if counted := said.get("requests"):
        failed = f"{counted['failed_on_canary']:,.0f} of {counted['canary']:,.0f} failed on the canary"
        out.say(f"requests  {failed}, {counted['stable']:,.0f} went to stable", "dim")
    for key in ("evidence", "run"):
        if said.get(key):
            out.say(f"{key:<9} {said[key]}", "dim")

"""`serinus guard`: look at every service again and again, and return what nobody owns to stable.

The looking is `serinus.moves.look`; the local platform's supervisor runs the same one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serinus.cli.exit_code import Code
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb

if TYPE_CHECKING:
    import asyncio

    from serinus.ground import Ground

Once = Annotated[bool, typer.Option("--once", help="Two looks, far enough apart to tell silence from life; then end.")]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Guard what is released in it on Kubernetes.")]
Looked = Annotated[
    Path | None,
    typer.Option("--looked", help="Touch this file after each look: a probe reads its age.", dir_okay=False),
]
Context = Annotated[str, typer.Option("--context", help="Context of the kubeconfig, for --namespace.")]


@verb
async def guard(
    context: typer.Context,
    once: Once = False,
    namespace: Namespace = "",
    kube_context: Context = "",
    looked: Looked = None,
    as_json: Json = False,
) -> Code:
    """Return the traffic of releases whose owner is dead."""
    import asyncio
    import signal

    from serinus.ground import ground
    from serinus.settings import Folders

    out, stop = Terminal(as_json), asyncio.Event()
    meant = ground(Folders.resolve(), namespace, kube_context)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    out.say(f"guarding {meant}" + ("" if once else "; Ctrl-C ends it"), "dim")
    looks = await _looks(out, meant, stop, once, looked)
    out.emit({"looks": looks})
    return Code.DONE


async def _looks(out: Terminal, ground: Ground, stop: asyncio.Event, once: bool, looked: Path | None) -> int:
    """Look until told to stop; a service that appears later is looked at as well. Returns how often it was looked."""

    from serinus.errors import Unavailable
    from serinus.moves.look import look_at_all
    from serinus.within import happens

    looks, every = 0, ground.every_seconds
    pause = ground.timing.dead_seconds + 0.5 if once else every
    async with ground.guards() as guards:
        while True:
            watched, troubles = await guards.current()
            for trouble in troubles:
                out.result({"trouble": trouble}, trouble, "bad")
            for sentence in await look_at_all(watched, at_most=None if once else every):
                out.result({"did": sentence}, sentence, "warn")
            looks += 1
            if guards.known:
                _tell(looked)
            over = once and (looks == 2 or not watched)
            if over and (left := [*troubles, *(f"{one}: not guarded" for one in watched if watched[one].failing)]):
                raise Unavailable("; ".join(left))
            if stop.is_set() or over:
                return looks
            await happens(stop, pause)


def _tell(looked: Path | None) -> None:
    """By the file's age. A full disk keeps nobody from being guarded: the file grows old, and the probe tells."""
    from contextlib import suppress

    if looked:
        with suppress(OSError):
            looked.touch()

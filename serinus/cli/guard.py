"""`serinus guard`: look at every service again and again, and return what nobody owns to stable.

The looking is `serinus.moves.look`; the local platform's supervisor runs the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from serinus.cli.exit_code import Code
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb

if TYPE_CHECKING:
    import asyncio

    from serinus.settings import Folders

EVERY_SECONDS = 2.0
Once = Annotated[bool, typer.Option("--once", help="Two looks, far enough apart to tell silence from life; then end.")]


@verb
async def guard(context: typer.Context, once: Once = False, as_json: Json = False) -> Code:
    """Return the traffic of releases whose owner is dead."""
    import asyncio
    import signal

    from serinus.settings import Folders

    out, folders, stop = Terminal(as_json), Folders.resolve(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    out.say(f"guarding what {folders.state} knows" + ("" if once else "; Ctrl-C ends it"), "dim")
    looks = await _looks(out, folders, stop, once)
    out.emit({"looks": looks})
    return Code.DONE


async def _looks(out: Terminal, folders: Folders, stop: asyncio.Event, once: bool) -> int:
    """Look until told to stop; a service that appears later is looked at as well. Returns how often it was looked."""
    import asyncio
    from contextlib import suppress

    from serinus.moves.engine import LOCAL
    from serinus.moves.look import look_at_all
    from serinus.wiring import guards, services

    looks, pause = 0, LOCAL.dead_seconds + 0.5 if once else EVERY_SECONDS
    while True:
        async with guards(folders) as watched:
            while set(watched) == set(services(folders)):
                for sentence in await look_at_all(watched, at_most=None if once else EVERY_SECONDS):
                    out.result({"did": sentence}, sentence, "warn")
                looks += 1
                if stop.is_set() or (once and (looks == 2 or not watched)):
                    return looks
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)

"""`serinus status`: what serves now, and what a release does, by its record, its route and the router's own word.

It needs no Prefect server and writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from serinus.cli.exit_code import Code
from serinus.cli.failure import Usage
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb

if TYPE_CHECKING:
    from serinus.cli.follow import Seen
    from serinus.settings import Folders


@verb
async def status(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="The service; without one, all.")] = "",
    as_json: Json = False,
) -> Code:
    """Show what serves now, and where the release stands."""
    from serinus.cli.follow import look
    from serinus.settings import Folders
    from serinus.wiring import open_to_ask

    out = Terminal(as_json)
    found = []
    for name in known(service, Folders.resolve()):
        async with open_to_ask(name, Folders.resolve()) as ports:
            seen = await look(ports)
        found.append(described(name, seen))
        told(out, name, seen)
    out.emit(found[0] if service else {"services": found})
    return Code.UNEXPECTED if any(entry["trouble"] for entry in found) else Code.DONE


def known(service: str, folders: Folders) -> list[str]:
    """The services that are meant: this one, or all.

    Raises:
        Usage: there is no such service, or none at all
    """
    from serinus.wiring import services

    names = list(services(folders))
    if not names:
        raise Usage(
            f"{folders.state} knows no service. `serinus local up` starts a platform with one; SERINUS_STATE names another folder."
        )
    if service and service not in names:
        raise Usage(f"{folders.state} knows no service {service}; it knows {', '.join(names)}.")
    return [service] if service else names


def described(service: str, seen: Seen) -> dict[str, Any]:
    """For programs: one service."""
    from serinus.cli.glance import glance
    from serinus.release.record import Record

    route = seen.route
    mark = route.mark if route else None
    record = seen.record
    return {
        "service": service,
        "live": bool(record and not record.ended),
        "weight": route.weight.percent if route else None,
        "taken_up": seen.taken_up,
        "mark": {"release": mark.release, "mode": str(mark.mode), "why": mark.why} if mark else None,
        "release": glance(record, route, seen.taken_up).as_json() if isinstance(record, Record) else None,
        "trouble": seen.trouble,
    }


def told(out: Terminal, service: str, seen: Seen) -> None:
    """For people: one service."""
    from serinus.cli.glance import glance
    from serinus.cli.live import panel
    from serinus.release.record import Foreign, Record

    if seen.route is not None:
        word = {
            True: "and the router serves by it",
            False: "the router does not serve by it yet",
            None: "the router's word is missing",
        }
        out.say(f"{service}: the route gives the canary {seen.route.weight.percent:g} %, {word[seen.taken_up]}", "bold")
    if seen.trouble:
        out.say(f"{service}: {seen.trouble}", "bad")
    if isinstance(seen.record, Record):
        now = glance(seen.record, seen.route, seen.taken_up)
        out.say(f"{'last' if now.ended else 'live'} release {now.release}" + (f", {now.run}" if now.run else ""), "dim")
        if not out.as_json:
            out.console().print(panel(now))
    elif isinstance(seen.record, Foreign):
        out.say(f"release {seen.record.release} was written by another version of serinus", "warn")
    elif not seen.trouble:
        out.say("never had a release", "dim")

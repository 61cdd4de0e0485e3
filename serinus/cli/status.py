"""`serinus status`: what serves now, and what a release does, by its record, its route and the router's own word.

It needs no Prefect server and writes nothing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from serinus.cli.exit_code import Code
from serinus.cli.place import Context, Namespace
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb

if TYPE_CHECKING:
    from serinus.cli.follow import Seen
    from serinus.cli.glance import Glance
    from serinus.ports import Ports, Side
    from serinus.release.plan import Target

Arms: TypeAlias = "tuple[Side | None, Side | None]"
"""Stable and canary; None where there is none, or nobody says."""


@verb
async def status(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="The service; without one, all.")] = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    as_json: Json = False,
) -> Code:
    """Show what serves now, and where the release stands."""
    from serinus.cli.follow import look
    from serinus.cli.place import meant
    from serinus.local.platform import read_platform
    from serinus.settings import Folders
    from serinus.wiring import LOCAL, open_to_ask

    out, folders = Terminal(as_json), Folders.resolve()
    found, services = [], await meant(service, folders, namespace, kube_context)
    local = LOCAL in services.values()
    if stopped := local and read_platform(folders) is None:
        out.say(f"The platform in {folders.state} is stopped: nothing serves; `serinus local up` starts it.", "warn")
    for name, target in services.items():
        async with open_to_ask(name, folders, target) as ports:
            seen, arms = await look(ports), await _arms(ports)
            now = await _now(ports, target, seen)
        found.append({**described(name, seen, now, arms), "platform": "stopped" if stopped else "running"})
        told(out, name, seen, now, arms, stopped)
    out.emit(found[0] if service else {"services": found})
    return Code.UNEXPECTED if any(entry["trouble"] for entry in found) else Code.DONE


async def _arms(ports: Ports) -> Arms:
    """Both workloads as they are now."""
    from serinus.errors import PlatformError

    try:
        return await ports.workload.stable(), await ports.workload.canary()
    except PlatformError:
        return None, None


async def _now(ports: Ports, target: Target, seen: Seen) -> Glance | None:
    """This moment of the release; whether its engine is silent is told by the clocks of two machines, as there is one look."""
    from serinus.cli.follow import pace
    from serinus.cli.glance import glance, unwritten
    from serinus.errors import PlatformError
    from serinus.release.evidence import parse
    from serinus.release.record import Record

    if not isinstance(seen.record, Record):
        return None
    silent, last = 0.0, seen.record.lines[-1] if seen.record.lines else None
    with suppress(PlatformError, ValueError):  # a line that is broken is for `serinus evidence verify` to tell
        if last is None and not seen.record.ended:
            last = next(map(parse, reversed(await ports.ledger.lines(seen.record.release))), None)
        silent = unwritten(seen.record, last, ports.clock.wall()) if last else 0.0
    return glance(seen.record, seen.route, seen.taken_up, None, silent, pace(target).dead_seconds)


def described(service: str, seen: Seen, now: Glance | None, arms: Arms) -> dict[str, Any]:
    """For programs: one service."""
    route = seen.route
    mark = route.mark if route else None
    record = seen.record
    return {
        "service": service,
        "live": bool(record and not record.ended),
        "weight": route.weight.percent if route else None,
        **{
            name: {"version": side.version, "percent": percent, "settled": side.settled} if side else None
            for name, side, percent in zip(("stable", "canary"), arms, _percents(seen), strict=True)
        },
        "taken_up": seen.taken_up,
        "mark": {"release": mark.release, "mode": str(mark.mode), "why": mark.why} if mark else None,
        "release": now.as_json() if now else None,
        "trouble": seen.trouble,
    }


def _percents(seen: Seen) -> tuple[float | None, float | None]:
    """Of stable and canary, as the route says."""
    if seen.route is None:
        return None, None
    return 100 - seen.route.weight.percent, seen.route.weight.percent


def serving(seen: Seen, arms: Arms) -> str:
    """`stable v1 serves 95 %, canary v2 serves 5 %`; empty where the route or the workloads cannot be read."""
    stable, canary = arms
    if seen.route is None or stable is None:
        return ""
    of_stable, of_canary = _percents(seen)
    rolling = "" if stable.settled else " (not all of it yet)"
    said = f"stable {stable.version}{rolling} serves {of_stable:g} %"
    return said + (f", canary {canary.version} serves {of_canary:g} %" if canary else "")


def told(out: Terminal, service: str, seen: Seen, now: Glance | None, arms: Arms, stopped: bool) -> None:
    """For people: one service."""
    from serinus.cli.live import panel
    from serinus.release.record import Foreign

    if seen.route is not None:
        what = serving(seen, arms) or f"the route gives the canary {seen.route.weight.percent:g} %"
        word = "; the router does not serve by this route yet" if seen.taken_up is False else ""
        out.say(f"{service}: {what}{word}", "bold")
    if seen.trouble and not stopped:
        out.say(f"{service}: {seen.trouble}", "bad")
    if now is not None:
        out.say(f"{'last' if now.ended else 'live'} release {now.release}" + (f", {now.run}" if now.run else ""), "dim")
        if not out.as_json:
            out.console().print(panel(now))
    elif isinstance(seen.record, Foreign):
        out.say(f"release {seen.record.release} was written by another version of serinus", "warn")
    elif not seen.trouble:
        out.say("never had a release", "dim")

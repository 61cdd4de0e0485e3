"""`serinus evidence show | verify | pull`: what a release saw, decided and did, and whether anybody touched it since.

It lies in a folder here, or with `--namespace` in a cluster's ConfigMaps.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serinus.cli.exit_code import Code
from serinus.cli.place import Context, Namespace
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb

if TYPE_CHECKING:
    from serinus.cli.logs import Found, Source
    from serinus.release.evidence import Head, Line
    from serinus.settings import Folders

Release = Annotated[str, typer.Argument(help="The release's id, or a file; without one, the newest.")]
Releases = Annotated[
    str, typer.Argument(help="The release's id, or a file; without one, every log, against each other.")
]


@verb
async def show(
    context: typer.Context,
    release: Release = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    as_json: Json = False,
) -> Code:
    """Print the lines of a release's evidence."""
    from serinus.cli.logs import legible, meant
    from serinus.release.evidence import parse
    from serinus.release.witness import lines_of
    from serinus.settings import Folders

    out = Terminal(as_json)
    async with _source(Folders.resolve(), namespace, kube_context) as source:
        content = await (await meant(release, source)).read()
    for text in lines_of(content):
        try:
            line = parse(text)
        except ValueError as cause:
            torn = {"fault": str(cause), "text": legible(text, len(text) * 4)}
            out.result(torn, f"         ?  {cause}: {legible(text)}", "bad")
            continue
        out.emit({"n": line.n, "at": line.at, "seconds": line.seconds, "kind": line.kind, "data": line.data})
        out.say(f"{line.n:5}  {line.seconds:8.2f} s  {line.kind:8}  {_told(line)}")
    return Code.DONE


def _told(line: Line) -> str:
    """A line for people: a check by its verdict, anything else by all that it says."""
    if line.kind == "check":
        return f"{line.data.get('verdict')}: {line.data.get('why')}"
    return ", ".join(f"{key} {value}" for key, value in line.data.items() if value not in ("", None))


@asynccontextmanager
async def _source(folders: Folders, namespace: str, context: str) -> AsyncIterator[Source]:
    from serinus.cli.logs import InFolder
    from serinus.ground import There, ground

    place = ground(folders, namespace, context)
    if not isinstance(place, There):
        yield InFolder(folders)
        return
    from serinus.cli.in_namespace import InNamespace

    async with place.connected() as kube:
        yield InNamespace(kube)


@verb
async def pull(
    context: typer.Context,
    release: Annotated[str, typer.Argument(help="The release's id; without one, the newest.")] = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    as_json: Json = False,
) -> Code:
    """Bring a release's evidence from a cluster into a file here, and verify it. Exit code 1 where it is not whole."""
    from serinus.cli.brought import pull as bring
    from serinus.cli.in_namespace import InNamespace
    from serinus.cli.logs import first_lines, look, meant, of_file
    from serinus.ground import There
    from serinus.ledgers.kubernetes import KubernetesLedger
    from serinus.settings import Folders

    out, folders = Terminal(as_json), Folders.resolve()
    async with There(folders, namespace, kube_context).connected() as kube:
        source = InNamespace(kube)
        log, known = await meant(release, source), await source.records()
        record = known.by_release.get(log.release)
        file = await bring(KubernetesLedger(kube, ""), log.release, record, folders.evidence)
        firsts = await first_lines(await source.logs(), known)
        found = await look(of_file(file), known, firsts, source)
    return Code.UNEXPECTED if _said(out, found) else Code.DONE


@verb
async def verify(
    context: typer.Context,
    release: Releases = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    as_json: Json = False,
) -> Code:
    """Find every line that was changed, taken out or added. Exit code 1 where there is one."""
    from serinus.cli.logs import first_lines, gone, look, meant
    from serinus.settings import Folders

    out = Terminal(as_json)
    async with _source(Folders.resolve(), namespace, kube_context) as source:
        asked = await meant(release, source)
        logs, known = await source.logs(), await source.records()
        firsts = await first_lines(logs, known)
        every = [await look(log, known, firsts, source) for log in ((asked,) if release else logs)]
    if release:
        return Code.UNEXPECTED if _said(out, every[0]) else Code.DONE
    return _all_said(out, every, gone(firsts, logs))


def _all_said(out: Terminal, every: list[Found], absent: Mapping[str, tuple[Head, bool]]) -> Code:
    """Every log against each other."""
    wrong = sum([_said(out, found) for found in every])
    for name, (head, older) in absent.items():
        out.say(
            f"{name}.log, {head.n} lines, is not there" + (", older ones are" if older else ""),
            "bad" if older else "warn",
        )
    wrong += sum(older for _, older in absent.values())
    unheld = [found.log.release for found in every if not found.held_by]
    out.emit({"logs": len(every), "whole": not wrong, "faults": wrong, "unheld": unheld, "gone": list(absent)})
    logs = f"{len(every)} log{'s' * (len(every) != 1)}"
    out.say(f"{logs}, {wrong} at fault" if wrong else f"{logs}, all whole", _style(bool(wrong)))
    return Code.UNEXPECTED if wrong else Code.DONE


def _style(bad: bool) -> str:
    return "bad" if bad else "good"


def _said(out: Terminal, found: Found) -> bool:
    """Say what was found of one log; whether it is at fault."""
    from serinus.cli.logs import legible

    path, bad = legible(found.log.where, 4096), bool(found.faults)
    for fault in found.faults:
        out.say(f"{path}:{fault.line}: {fault.what}", "bad")
    answer: dict[str, Any] = {
        "file": path,
        "release": legible(found.log.release),
        "lines": found.lines,
        "whole": not bad,
    }
    answer |= {"head_checked": bool(found.held_by), "held_by": found.held_by}
    out.emit({**answer, "faults": [{"line": fault.line, "what": fault.what} for fault in found.faults]})
    unheld = "by itself: neither its record nor a later release is left to hold its end against"
    kept = f"agrees with {' and '.join(found.held_by)}" if found.held_by else unheld
    if bad:
        out.say(f"{path}: at fault, {found.lines} lines", "bad")
    else:
        out.say(f"{path}: {found.lines} lines, whole; {kept}", "good" if found.held_by else "warn")
    return bad

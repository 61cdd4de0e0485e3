"""`serinus evidence show | verify`: what a release saw, decided and did, and whether anybody touched it since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serinus.cli.exit_code import Code
from serinus.cli.failure import Usage
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb
from serinus.errors import PlatformError

if TYPE_CHECKING:
    from serinus.release.evidence import Line
    from serinus.release.record import Record

Release = Annotated[str, typer.Argument(help="The release's id, or a file; without one, the newest.")]


@verb
async def show(context: typer.Context, release: Release = "", as_json: Json = False) -> Code:
    """Print the lines of a release's evidence."""
    from serinus.release.evidence import parse

    out = Terminal(as_json)
    path = _file(release)
    for text in _lines(path):
        try:
            line = parse(text)
        except ValueError as cause:
            out.result({"fault": str(cause), "text": text}, f"         ?  {cause}: {text[:200]}", "bad")
            continue
        out.emit({"n": line.n, "at": line.at, "seconds": line.seconds, "kind": line.kind, "data": line.data})
        out.say(f"{line.n:5}  {line.seconds:8.2f} s  {line.kind:8}  {_told(line)}")
    return Code.DONE


def _told(line: Line) -> str:
    """A line for people: a check by its verdict, anything else by all that it says."""
    if line.kind == "check":
        return f"{line.data.get('verdict')}: {line.data.get('why')}"
    return ", ".join(f"{key} {value}" for key, value in line.data.items() if value not in ("", None))


@verb
async def verify(context: typer.Context, release: Release = "", as_json: Json = False) -> Code:
    """Find every line that was changed, taken out or added. Exit code 1 where there is one."""
    from serinus.release.evidence import verify as faults_of

    out = Terminal(as_json)
    path = _file(release)
    lines = _lines(path)
    record = await _record(path.stem)
    uncopied = tuple(line.text for line in record.lines if line.n > len(lines)) if record else ()
    faults = faults_of((*lines, *uncopied), record.head if record else None)
    for fault in faults:
        out.say(f"{path}:{fault.line}: {fault.what}", "bad")
    kept = "its record's head agrees" if record else "no record is left to hold its end against"
    found = {"file": str(path), "lines": len(lines), "whole": not faults, "head_checked": record is not None}
    out.emit({**found, "faults": [{"line": f.line, "what": f.what} for f in faults]})
    if faults:
        out.say(f"{path}: {len(faults)} of {len(lines)} lines are at fault", "bad")
        return Code.UNEXPECTED
    out.say(f"{path}: {len(lines)} lines, whole; {kept}", "good")
    return Code.DONE


def _file(release: str) -> Path:
    """The evidence file that is meant.

    Raises:
        Usage: there is none; says which there are
    """
    from serinus.settings import Folders

    if release and (given := Path(release)).is_file():
        return given
    folder = Folders.resolve().evidence
    files = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
    if not files:
        raise Usage(f"{folder} holds no evidence: no release has run with this folder of state")
    if not release:
        return files[-1]
    wanted = folder / f"{Path(release).name.removesuffix('.log')}.log"
    if wanted not in files:
        newest = ", ".join(path.stem for path in reversed(files[-5:]))
        raise Usage(f"{folder} holds no evidence of {release}; the newest there: {newest}")
    return wanted


def _lines(path: Path) -> tuple[str, ...]:
    """Its lines as they lie there; bytes that are no text stay visible as faults."""
    text = path.read_bytes().decode(errors="replace")
    return tuple(text.removesuffix("\n").split("\n")) if text else ()


async def _record(release: str) -> Record | None:
    """The record of that release, where it is still its service's newest. Needs no platform that runs."""
    from serinus.ledgers.file import FileLedger
    from serinus.release.record import Record
    from serinus.settings import Folders
    from serinus.wiring import services

    folders = Folders.resolve()
    for service in services(folders):
        try:
            kept = await FileLedger(folders, service).read()
        except PlatformError:
            continue
        if kept and isinstance(kept.record, Record) and kept.record.release == release:
            return kept.record
    return None

"""`serinus evidence show | verify`: what a release saw, decided and did, and whether anybody touched it since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from serinus.cli.exit_code import Code
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb

if TYPE_CHECKING:
    from serinus.cli.logs import Found
    from serinus.release.evidence import Line

Release = Annotated[str, typer.Argument(help="The release's id, or a file; without one, the newest.")]
Releases = Annotated[
    str, typer.Argument(help="The release's id, or a file; without one, every log, against each other.")
]


@verb
async def show(context: typer.Context, release: Release = "", as_json: Json = False) -> Code:
    """Print the lines of a release's evidence."""
    from serinus.cli.logs import content, legible, meant
    from serinus.release.evidence import parse
    from serinus.release.witness import lines_of
    from serinus.settings import Folders

    out = Terminal(as_json)
    for text in lines_of(content(meant(release, Folders.resolve().evidence))):
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


@verb
async def verify(context: typer.Context, release: Releases = "", as_json: Json = False) -> Code:
    """Find every line that was changed, taken out or added. Exit code 1 where there is one."""
    from serinus.cli.logs import first_lines, gone, logs, look, meant, records
    from serinus.settings import Folders

    out, folders = Terminal(as_json), Folders.resolve()
    asked = meant(release, folders.evidence)
    paths, known = logs(folders.evidence), await records(folders)
    firsts = first_lines(paths, known)
    if release:
        found = await look(asked, known, firsts, folders)
        return Code.UNEXPECTED if _said(out, found) else Code.DONE
    every = [await look(path, known, firsts, folders) for path in paths]
    wrong = sum([_said(out, found) for found in every])
    absent = gone(firsts, paths)
    for name, (head, older) in absent.items():
        out.say(
            f"{name}.log, {head.n} lines, is not there" + (", older ones are" if older else ""),
            "bad" if older else "warn",
        )
    wrong += sum(older for _, older in absent.values())
    unheld = [found.release for found in every if not found.held_by]
    out.emit({"logs": len(every), "whole": not wrong, "faults": wrong, "unheld": unheld, "gone": list(absent)})
    out.say(f"{len(every)} logs, {wrong} at fault" if wrong else f"{len(every)} logs, all whole", _style(bool(wrong)))
    return Code.UNEXPECTED if wrong else Code.DONE


def _style(bad: bool) -> str:
    return "bad" if bad else "good"


def _said(out: Terminal, found: Found) -> bool:
    """Say what was found of one log; whether it is at fault."""
    from serinus.cli.logs import legible

    path, bad = legible(str(found.path), 4096), bool(found.faults)
    for fault in found.faults:
        out.say(f"{path}:{fault.line}: {fault.what}", "bad")
    answer: dict[str, Any] = {"file": path, "release": legible(found.release), "lines": found.lines, "whole": not bad}
    answer |= {"head_checked": bool(found.held_by), "held_by": found.held_by}
    out.emit({**answer, "faults": [{"line": fault.line, "what": fault.what} for fault in found.faults]})
    unheld = "nothing is left to hold its end against: a forged one would not be seen"
    kept = f"agrees with {' and '.join(found.held_by)}" if found.held_by else unheld
    if bad:
        out.say(f"{path}: at fault, {found.lines} lines", "bad")
    else:
        out.say(f"{path}: {found.lines} lines, whole; {kept}", "good" if found.held_by else "warn")
    return bad

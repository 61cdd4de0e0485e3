"""Which logs of evidence lie here, what is in them, and what knows where they end? Whether that agrees is `release.witness`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from serinus.cli.failure import Usage
from serinus.errors import PlatformError
from serinus.ledgers.file import FileLedger
from serinus.release.evidence import Fault, Head
from serinus.release.record import Record
from serinus.release.witness import Opening, Witness, lines_of, opening, verify_log
from serinus.settings import Folders
from serinus.wiring import services

TRIES = 5
"""How often a live release's log and record are read until both are of one moment."""


@dataclass(frozen=True, slots=True)
class Records:
    """What is kept of each service's newest release.

    Args:
        by_release: those that can be read
        unread: why not, by service
    """

    by_release: Mapping[str, Record]
    unread: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at one log found.

    Args:
        release: whose log it says to be
        lines: in the file
        held_by: what knows where it ends; empty where nothing is left that does
    """

    path: Path
    release: str
    lines: int
    faults: tuple[Fault, ...]
    held_by: tuple[str, ...]


def logs(folder: Path) -> tuple[Path, ...]:
    """Everything there that is named as a log, oldest first."""

    def age(path: Path) -> float:
        try:
            return path.lstat().st_mtime
        except OSError:
            return 0.0

    return tuple(sorted(folder.glob("*.log"), key=lambda path: (age(path), path.name)))


def meant(release: str, folder: Path) -> Path:
    """The log of that release, or of the newest.

    Raises:
        Usage: there is none; says which there are
    """
    if release and os.path.isfile(release):  # noqa: PTH113 (pathlib's raises on a name too long)
        return Path(release)
    found = logs(folder)
    if not found:
        raise Usage(f"{folder} holds no evidence: no release has run with this folder of state")
    if not release:
        return next((path for path in reversed(found) if path.is_file()), found[-1])
    wanted = folder / f"{Path(release).name.removesuffix('.log')}.log"
    if wanted not in found:
        newest = ", ".join(legible(path.stem) for path in reversed(found[-5:]))
        raise Usage(f"{folder} holds no evidence of {legible(release, 100)}; the newest there: {newest}")
    return wanted


def content(path: Path) -> str:
    """All of it; bytes that are no text are kept as surrogates, so that each can be told from every other.

    Raises:
        Usage: it is no file, or cannot be read
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Usage(f"{legible(str(path))} is no file: evidence is a file of lines")
        return path.read_bytes().decode(errors="surrogateescape")
    except OSError as cause:
        raise Usage(f"{legible(str(path))} cannot be read: {cause.strerror}") from None


def legible(text: str, longest: int = 200) -> str:
    """What can be printed of a text from somewhere."""
    shown = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return shown if len(shown) <= longest else shown[:longest] + "..."


async def records(folders: Folders) -> Records:
    """Every service's record. Needs no platform that runs."""
    found, unread = dict[str, Record](), dict[str, str]()
    for service in services(folders):
        try:
            kept = await FileLedger(folders, service).read()
        except PlatformError as cause:
            unread[service] = str(cause)
            continue
        if kept and isinstance(kept.record, Record):
            found[kept.record.release] = kept.record
    return Records(found, unread)


def first_lines(paths: Iterable[Path], known: Records) -> tuple[Opening, ...]:
    """What each release's first line says, in its log or still in its record."""
    texts = [record.lines[0].text for record in known.by_release.values() if record.lines]
    for path in paths:
        try:
            texts += lines_of(content(path))[:1]
        except Usage:
            continue  # who looks at that log itself says so
    return tuple(dict.fromkeys(first for text in texts if (first := _opening(text))))


def _opening(text: str) -> Opening | None:
    try:
        return opening(text)
    except ValueError:
        return None


async def look(path: Path, known: Records, firsts: Iterable[Opening], folders: Folders) -> Found:
    """One log held against all that knows of it."""
    try:
        text, named, record = await _of_one_moment(path, known, folders)
    except Usage as cause:
        return Found(path, path.stem, 0, (Fault(1, str(cause)),), ())
    witnesses = [Witness("its record", record.head)] if record else []
    for first in firsts:
        if first.follows and first.follows[0] == named.release != first.release:
            witnesses.append(Witness(f"the first line of {first.release}", first.follows[1]))
    lines = len(lines_of(text))
    faults = verify_log(text, path.stem, witnesses, record.lines if record else None)
    if not witnesses and named.service in known.unread:
        faults = (*faults, Fault(max(1, lines), f"nothing holds its end: {known.unread[named.service]}"))
    return Found(path, path.stem, lines, faults, tuple(one.name for one in witnesses))


async def _of_one_moment(path: Path, known: Records, folders: Folders) -> tuple[str, Opening, Record | None]:
    """A log and its record: a release that goes on writes both."""
    for _ in range(TRIES):
        text = content(path)
        named = next(iter(filter(None, map(_opening, lines_of(text)[:1]))), Opening(path.stem, ""))
        record = known.by_release.get(named.release)
        if record is None or record.ended:
            break
        before, known = record, await records(folders)
        if (now := known.by_release.get(named.release)) and (now.head, now.lines) == (before.head, before.lines):
            break
    return text, named, record


def gone(firsts: Iterable[Opening], paths: Iterable[Path]) -> Mapping[str, tuple[Head, bool]]:
    """Releases that a later one names and whose log is not there: where it ended, and whether older logs still are."""
    there = {path.stem for path in paths}
    found = dict[str, tuple[Head, bool]]()
    for first in firsts:
        if first.follows and first.follows[0] not in there:
            name, head = first.follows
            found[name] = head, any(one.service == first.service and one.release < name for one in firsts)
    return found

"""Which logs of evidence are there, what is in them, and what knows where they end? Whether that agrees is `release.witness`.

They lie in a folder of this machine, or (`in_namespace`) in a cluster.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

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
class Log:
    """One release's evidence.

    Args:
        release: whose log it says to be
        where: for people
        read: all of it; bytes that are no text as surrogates; raises Usage where it cannot be read
    """

    release: str
    where: str
    read: Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Records:
    """What is kept of each service's newest release.

    Args:
        by_release: those that can be read
        unread: why not, by service
    """

    by_release: Mapping[str, Record]
    unread: Mapping[str, str]


class Source(Protocol):
    """Where evidence lies."""

    async def logs(self) -> tuple[Log, ...]:
        """Everything there that is named as a log, oldest first."""
        ...

    async def records(self) -> Records:
        """Every service's record."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at one log found.

    Args:
        lines: in it
        held_by: what knows where it ends; empty where nothing is left that does
    """

    log: Log
    lines: int
    faults: tuple[Fault, ...]
    held_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InFolder:
    """`Source` on this machine; needs no platform that runs. What is named as a log and is no file is older than all that is."""

    folders: Folders

    async def logs(self) -> tuple[Log, ...]:
        def age(path: Path) -> float:
            try:
                of = path.stat()
            except OSError:
                return 0.0
            return of.st_mtime if stat.S_ISREG(of.st_mode) else 0.0

        found = self.folders.evidence.glob("*.log")
        return tuple(map(of_file, sorted(found, key=lambda path: (age(path), path.name))))

    async def records(self) -> Records:
        found, unread = dict[str, Record](), dict[str, str]()
        for service in services(self.folders):
            try:
                kept = await FileLedger(self.folders, service).read()
            except PlatformError as cause:
                unread[service] = str(cause)
                continue
            if kept and isinstance(kept.record, Record):
                found[kept.record.release] = kept.record
        return Records(found, unread)

    def __str__(self) -> str:
        return str(self.folders.evidence)


def of_file(path: Path) -> Log:
    return Log(path.stem, str(path), partial(_content, path))


async def meant(release: str, source: Source) -> Log:
    """The log of that release, or of that file, or the newest.

    Raises:
        Usage: there is none; says which there are
    """
    if release and os.path.isfile(release):  # noqa: PTH113, ASYNC240 (pathlib's raises on a name too long)
        return of_file(Path(release))
    found = await source.logs()
    if not found:
        raise Usage(f"{source} holds no evidence: no release has run with it")
    if not release:
        return found[-1]
    wanted = Path(release).name.removesuffix(".log")
    for log in found:
        if log.release == wanted:
            return log
    newest = ", ".join(legible(log.release) for log in reversed(found[-5:]))
    raise Usage(f"{source} holds no evidence of {legible(release, 100)}; the newest there: {newest}")


async def _content(path: Path) -> str:
    return content(path)


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


async def first_lines(logs: Iterable[Log], known: Records) -> tuple[Opening, ...]:
    """What each release's first line says, in its log or still in its record."""
    texts = [record.lines[0].text for record in known.by_release.values() if record.lines]
    for log in logs:
        try:
            texts += lines_of(await log.read())[:1]
        except Usage:
            continue  # who looks at that log itself says so
    return tuple(dict.fromkeys(first for text in texts if (first := _opening(text))))


def _opening(text: str) -> Opening | None:
    try:
        return opening(text)
    except ValueError:
        return None


async def look(log: Log, known: Records, firsts: Iterable[Opening], source: Source) -> Found:
    """One log held against all that knows of it."""
    try:
        text, named, record = await _of_one_moment(log, known, source)
    except Usage as cause:
        return Found(log, 0, (Fault(1, str(cause)),), ())
    witnesses = [Witness("its record", record.head)] if record else []
    for first in firsts:
        if first.follows and first.follows[0] == named.release != first.release:
            witnesses.append(Witness(f"the first line of {first.release}", first.follows[1]))
    lines = len(lines_of(text))
    faults = verify_log(text, log.release, witnesses, record.lines if record else None)
    if not witnesses and named.service in known.unread:
        faults = (*faults, Fault(max(1, lines), f"nothing holds its end: {known.unread[named.service]}"))
    return Found(log, lines, faults, tuple(one.name for one in witnesses))


async def _of_one_moment(log: Log, known: Records, source: Source) -> tuple[str, Opening, Record | None]:
    """A log and its record: a release that goes on writes both."""
    for _ in range(TRIES):
        text = await log.read()
        named = next(iter(filter(None, map(_opening, lines_of(text)[:1]))), Opening(log.release, ""))
        record = known.by_release.get(named.release)
        if record is None or record.ended:
            break
        before, known = record, await source.records()
        if (now := known.by_release.get(named.release)) and (now.head, now.lines) == (before.head, before.lines):
            break
    return text, named, record


def gone(firsts: Iterable[Opening], logs: Iterable[Log]) -> Mapping[str, tuple[Head, bool]]:
    """Releases that a later one names and whose log is not there: where it ended, and whether older logs still are."""
    there = {log.release for log in logs}
    found = dict[str, tuple[Head, bool]]()
    for first in firsts:
        if first.follows and first.follows[0] not in there:
            name, head = first.follows
            found[name] = head, any(one.service == first.service and one.release < name for one in firsts)
    return found

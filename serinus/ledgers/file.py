"""The record and the evidence of one service on a disk.

The record is a store of revisions; the evidence a file a release, `<release>.log`, that only ever grows by the line that is due.
What is in either is not decided here.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from serinus.errors import Conflict, Refused, Unavailable
from serinus.ports import Kept
from serinus.release.evidence import FIRST, Line
from serinus.release.record import Ask, Foreign, Record, from_json, to_json
from serinus.settings import Folders
from serinus.stores.disk import bounded, saying, sync_folder
from serinus.stores.revisions import Store

_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TRIES = 50


class FileLedger:
    """`ports.Ledger` on one machine.

    Args:
        folders: where the state lies
        service: its name
    """

    def __init__(self, folders: Folders, service: str) -> None:
        self._service = service
        self._store = Store(folders.service(service) / "record")
        self._evidence = folders.evidence

    async def read(self) -> Kept | None:
        return await bounded(f"the record of {self._service}", self._read)

    async def write(self, record: Record, seen: str | None) -> Kept:
        return await bounded(f"the record of {self._service}", self._write, record, seen)

    async def ask(self, ask: Ask, release: str = "") -> Kept:
        return await bounded(f"the record of {self._service}", self._ask, ask, release)

    async def append(self, release: str, lines: Sequence[Line]) -> None:
        await bounded(f"the evidence of {release}", self._append, self._log(release), lines)

    async def lines(self, release: str) -> tuple[str, ...]:
        return await bounded(f"the evidence of {release}", _texts, self._log(release))

    def _read(self) -> Kept | None:
        found = self._store.read()
        if found is None:
            return None
        number, content = found
        try:
            return Kept(from_json(content), str(number))
        except ValueError as cause:
            why = str(cause).partition("\n")[0]
            raise Refused(f"{self._store.folder}: revision {number} is no record: {why}") from cause

    def _write(self, record: Record, seen: str | None) -> Kept:
        return Kept(record, str(self._store.write(to_json(record), int(seen or 0))))

    def _ask(self, ask: Ask, asked: str) -> Kept:
        for _ in range(_TRIES):
            kept = self._read()
            if kept is not None and asked and kept.record.release != asked:
                raise Refused(f"{asked} ended before it was reached: nothing was asked of {kept.record.release}")
            if kept is None or kept.record.ended:
                raise Refused(f"no release of {self._service} is live: there is nothing to {ask.verb}")
            if isinstance(kept.record, Foreign):
                raise Refused(
                    f"the record of {self._service} has schema {kept.record.schema}: use the version of serinus that wrote it"
                )
            if any(known.id == ask.id for known in kept.record.inbox):
                return kept
            asked = kept.record.release
            try:
                return self._write(replace(kept.record, inbox=(*kept.record.inbox, ask)), kept.version)
            except Conflict:
                continue
        raise Unavailable(f"the record of {self._service} was written {_TRIES} times while {ask.verb} was being asked")

    def _log(self, release: str) -> Path:
        if not _RELEASE.fullmatch(release):
            raise Refused(f"{release!r} is no release's id: letters, digits, dots and dashes, at most 128")
        return self._evidence / f"{release}.log"

    def _append(self, log: Path, lines: Sequence[Line]) -> None:
        with saying(f"{log} cannot be written"):
            new = not log.exists()
            log.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(log, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                start, due = _due(log, _whole(handle), lines)
                # At its place, not at the end: two who write the same line write it once.
                while due:
                    start += (done := os.pwrite(handle, due, start))
                    due = due[done:]
                os.fsync(handle)
            finally:
                os.close(handle)
            if new:
                sync_folder(log.parent)


def _due(log: Path, held: bytes, lines: Sequence[Line]) -> tuple[int, bytes]:
    """Where the file's whole lines end, and the bytes that belong there.

    Raises:
        Refused: the file is not a prefix of the lines
    """
    *whole, tail = held.split(b"\n")
    start, before = len(held) - len(tail), hashlib.sha256(whole[-1]).hexdigest() if whole else FIRST
    due = b""
    number = len(whole)
    for line in sorted(lines, key=lambda line: line.n):
        text = line.text.encode()
        if line.n <= len(whole):
            if whole[line.n - 1] != text:
                raise Refused(f"{log}: line {line.n} is not the one that was recorded; nothing was written")
            continue
        if line.n != number + 1 or line.before != before:
            raise Refused(f"{log}: line {line.n} does not follow its line {number}; nothing was written")
        due, number, before = due + text + b"\n", line.n, line.hash
    if due and not due.startswith(tail):
        raise Refused(f"{log}: something else stands after line {len(whole)}; nothing was written")
    return start, due


def _whole(handle: int) -> bytes:
    held = b""
    while piece := os.pread(handle, 1 << 20, len(held)):
        held += piece
    return held


def _texts(log: Path) -> tuple[str, ...]:
    """A torn or foreign tail is one of them: who verifies must see it."""
    with saying(f"{log} cannot be read"):
        try:
            held = log.read_bytes()
        except FileNotFoundError:
            return ()
    return (
        tuple(text.decode(errors="backslashreplace") for text in held.removesuffix(b"\n").split(b"\n")) if held else ()
    )

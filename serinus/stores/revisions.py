"""A store: one object as a folder of numbered revisions, each written whole, never overwritten.

`link` decides: it makes `r<n+1>` for exactly one of those who read revision n. No lock: a lock belongs to a process and its
children, and a stopped holder blocks everyone. What the bytes say is the business of whoever writes them.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from serinus.errors import Conflict, Refused, Unavailable
from serinus.stores.disk import reserve, saying, sync_folder, write_new, write_sparing

KEPT = 100
"""Names more than this below the highest may go."""
_NAME = re.compile(r"r(\d{12})")
_HIGHEST = 10**12 - 1
_ABSURD = 10**9
"""So far ahead that a write each second does not get there in thirty years: what is passed over now must not count one day."""
_LOOKS = 20
_DRAFT_SECONDS = 60.0
"""A draft so much older than a revision belongs to a process that died; both times are the disk's own."""


class Store:
    """One object.

    Args:
        folder: need not exist before the first write
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spare = folder / ".spare"

    def read(self, whole: Callable[[bytes], bool] = bool) -> tuple[int, bytes] | None:
        """The highest revision's number and bytes; None where nothing was ever written.

        A name that is no whole file of ours (empty, a folder, a link to elsewhere) keeps its number and is passed over for
        its content: the number is taken, and what was written before it stands.

        Args:
            whole: says what is a whole content; all that is not empty, where its reader cannot tell

        Raises:
            Unavailable, Refused: the folder cannot be read
        """
        with saying(f"{self.folder} cannot be read"):
            for _ in range(_LOOKS):
                numbers = self._numbers()
                if not numbers:
                    return None
                content = self._newest(numbers, whole)
                if content:
                    return numbers[0], content
                if content is not None:
                    raise Refused(f"{self.folder} holds revisions and none that can be read")
        raise Unavailable(f"{self.folder} changes faster than it can be read")

    def write(self, content: bytes, after: int, *, sparing: bool = False) -> int:
        """Write the revision after `after` (0: the first), on the disk when this returns.

        Args:
            content: not empty
            after: the revision that was read
            sparing: on a full disk spend what `reserve` laid by

        Returns: the new revision's number.

        Raises:
            Conflict: the highest revision is another one
            Unavailable: the disk is full or in trouble; nothing was written
            Refused: the folder may not be written
        """
        if not content:
            raise ValueError("a revision is never empty")
        if after >= _HIGHEST:
            raise Refused(f"{self.folder} is at its last possible revision: a foreign file must have brought it there")
        with saying(f"{self.folder} cannot be written"):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._demand(after)
            number = after + 1
            draft = self.folder / f".draft-{os.getpid()}-{os.urandom(6).hex()}"
            try:
                if sparing:
                    write_sparing(draft, content, self._spare)
                else:
                    write_new(draft, content)
                os.link(draft, self._path(number))
            except FileExistsError:
                raise Conflict(f"{self.folder}: revision {number} was written in between") from None
            finally:
                with suppress(OSError):
                    draft.unlink()
            sync_folder(self.folder)
            self._clear(number)
        return number

    def reserve(self) -> None:
        """Lay by the space that one `write(..., sparing=True)` needs on a full disk. Raises as `write`."""
        with saying(f"no space could be laid by in {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            reserve(self._spare)

    def _demand(self, after: int) -> None:
        highest = max(self._numbers(), default=0)
        if highest != after:
            raise Conflict(f"{self.folder} is at revision {highest}, not at {after}")

    def _clear(self, number: int) -> None:
        """Let old names go.

        A name can only have been free because it had gone if it lies more than `KEPT` below the highest: then nothing was won.
        """
        numbers = self._numbers()
        lowest = numbers[0] - KEPT
        if number < lowest:
            self._path(number).unlink(missing_ok=True)
            raise Conflict(f"{self.folder} is at revision {numbers[0]}, far past {number}")
        with suppress(OSError):
            for old in numbers:
                if old < lowest:
                    self._path(old).unlink(missing_ok=True)
            for left in self.folder.glob(".draft-*"):
                if left.stat().st_mtime < self._path(number).stat().st_mtime - _DRAFT_SECONDS:
                    left.unlink(missing_ok=True)

    def _numbers(self) -> list[int]:
        """Every number that is taken, the highest first.

        A write takes the next number and leaves the `KEPT` before it, so one that stands alone and far above all others is
        nobody's: it would bring the numbers to their end.
        """
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        numbers = sorted((int(name[1]) for name in map(_NAME.fullmatch, names) if name), reverse=True)
        while len(numbers) > 1 and numbers[0] - numbers[1] > _ABSURD:
            del numbers[0]
        return numbers

    def _newest(self, numbers: list[int], whole: Callable[[bytes], bool]) -> bytes | None:
        """The content of the highest that is ours; empty where none is, None where one went away meanwhile."""
        for number in numbers:
            path = self._path(number)
            try:
                if stat.S_ISREG(path.lstat().st_mode) and whole(content := path.read_bytes()):
                    return content
            except FileNotFoundError:
                return None
        return b""

    def _path(self, number: int) -> Path:
        return self.folder / f"r{number:012d}"

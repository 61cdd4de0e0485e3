"""How bytes get onto a disk whole or not at all, also onto a full one; and what a disk's refusal means to a caller.

What the bytes say, and which of two writers wins, is not known here.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from serinus.errors import Refused, Unavailable
from serinus.within import within

CALL_SECONDS = 1.0
"""No call of the local platform is waited for any longer; a write past it is unknown, not undone."""
SPARE_BYTES = 16 * 1024
"""What is kept for the one write that must not fail: more than the largest route and its rendering."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_LATER = FULL | {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EBUSY, errno.ESTALE}

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def saying(what: str) -> Iterator[None]:
    """Turn a disk's errors into ours, with what was tried in front.

    Raises:
        Unavailable: the disk is full or in trouble: the same call may do later
        Refused: a right is missing, or something else lies where our file should
    """
    try:
        yield
    except OSError as cause:
        where = f" ({cause.filename})" if cause.filename else ""
        words = f"{what}: {os.strerror(cause.errno) if cause.errno else cause}{where}"
        if cause.errno in FULL:
            raise Unavailable(f"{words}; free some space") from cause
        if cause.errno in _LATER:
            raise Unavailable(words) from cause
        raise Refused(words) from cause


async def bounded(what: str, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking call in a thread, for at most `CALL_SECONDS`.

    Raises:
        Unavailable: no answer in time; the thread may still finish its work
    """
    try:
        async with within(CALL_SECONDS):
            return await asyncio.to_thread(call, *args, **kwargs)
    except TimeoutError as cause:
        raise Unavailable(f"{what}: the disk did not answer within {CALL_SECONDS:g} s") from cause


def write_new(path: Path, content: bytes) -> None:
    """A file that did not exist, whole and on the disk; on any error none is left."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        _put(handle, content)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(handle)


def write_sparing(path: Path, content: bytes, spare: Path) -> None:
    """As `write_new`; on a full disk by the blocks that `reserve` laid by, which are then spent."""
    try:
        write_new(path, content)
    except OSError as cause:
        if cause.errno not in FULL or len(content) > SPARE_BYTES:
            raise
        try:
            spare.rename(path)
        except FileNotFoundError:
            raise cause from None
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            _put(handle, content)
        finally:
            os.close(handle)


def reserve(spare: Path) -> None:
    """Lay by the blocks for one `write_sparing`; nothing to do where they lie there."""
    with suppress(FileNotFoundError):
        if spare.stat().st_size == SPARE_BYTES:
            return
        spare.unlink()
    made = spare.with_name(f"{spare.name}.{os.getpid()}.{os.urandom(4).hex()}")
    # Real bytes: blocks that were only promised to a file can still be missing when it is written.
    write_new(made, b"\xff" * SPARE_BYTES)
    made.rename(spare)


def sync_folder(folder: Path) -> None:
    """New and changed names of a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]
    os.ftruncate(handle, len(content))
    os.fsync(handle)

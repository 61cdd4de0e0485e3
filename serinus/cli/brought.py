"""How does a release's evidence get from the cluster's ConfigMaps into a file here: `TEST/canary/<release>.log`?

Whether what it brings is whole is `logs`' question. Locally the engine itself writes that file.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from serinus.errors import PlatformError, Refused

if TYPE_CHECKING:
    from serinus.ports import Ledger, Ports
    from serinus.release.plan import Target
    from serinus.release.record import Record
    from serinus.settings import Folders


async def bring(ports: Ports, target: Target, folders: Folders, record: Record) -> str:
    """Where the lines of this release lie, for people: brought here first, as far as that can be; no end waits for it to succeed."""
    from serinus.adapters import KUBERNETES
    from serinus.wiring import evidence_of

    if target.workload == KUBERNETES:
        with suppress(PlatformError):
            await pull(ports.ledger, record.release, record, folders.evidence)
    return evidence_of(target, folders, record.release)


async def pull(ledger: Ledger, release: str, record: Record | None, folder: Path) -> Path:
    """The file, with all that the cluster knows of this release now.

    Args:
        record: this release's, whose last lines may not have been copied yet; None where another has followed it

    Raises:
        Refused: there is no evidence of it, or a file of that name says otherwise
    """
    copied = await ledger.lines(release)
    waiting = tuple(line.text for line in record.lines if line.n > len(copied)) if record else ()
    if not copied and not waiting:
        raise Refused(f"there is no evidence of {release}")
    file = folder / f"{release}.log"
    await asyncio.to_thread(_written, file, "".join(f"{line}\n" for line in (*copied, *waiting)))
    return file


def _written(file: Path, text: str) -> None:
    whole = text.encode(errors="surrogateescape")
    try:
        if file.exists() and not whole.startswith(there := file.read_bytes()):
            raise Refused(f"{file} is not the beginning of what the cluster has: {_differing(there, whole)}")
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}.new")
        fresh.write_bytes(whole)
        fresh.replace(file)
    except OSError as cause:
        raise Refused(f"{file} cannot be written: {cause.strerror}") from cause


def _differing(there: bytes, whole: bytes) -> str:
    """Of which line on, and what to do."""
    pairs = zip(there.splitlines(), whole.splitlines(), strict=False)
    line = next((n for n, (one, other) in enumerate(pairs, 1) if one != other), len(whole.splitlines()) + 1)
    return f"from line {line} on; nothing was written, move it away"

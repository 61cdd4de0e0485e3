"""`serinus release` as a child process, for whoever plays it: what it said last, and the most memory that it had.

How it is started otherwise, by whoever types it, is the shell's.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from serinus.local.child import tied


class Engine:
    """One of them."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log
        self.rss_bytes = 0

    @classmethod
    async def start(cls, words: Sequence[str], environment: Mapping[str, str], log: Path) -> Engine:
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *tied((sys.executable, "-m", "serinus.cli", "release", *words, "--json")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                start_new_session=True,
                env=environment,
                limit=2**20,
            )
        return cls(process, log)

    def measure(self) -> None:
        """Its memory's highest so far."""
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            self.rss_bytes = 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

    async def result(self) -> dict[str, Any]:
        """The last line that it said, once it has ended; empty where it was killed before."""
        assert self.process.stdout is not None
        last = b""
        async for line in self.process.stdout:
            self.measure()
            last = line
        await self.process.wait()
        with suppress(ValueError):
            said = json.loads(last)
            if isinstance(said, dict) and "outcome" in said:
                return said
        return {}

"""What did clients see of a fault? Failed requests, and how long the version that has it was asked. Read from what `users` wrote."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.kubernetes.users import NOBODY
from serinus.errors import Unavailable
from serinus.local.child import tied

STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Seen:
    """By whoever asked.

    Args:
        by_second: answers by second, version and status; version empty where no instance answered
        first, last: times by version and whether it failed, on the system's monotonic clock
        failures: version and time of each failed request
        unsent: requests that the load itself could not send; what is measured is worth nothing where there are many
        late_seconds: the longest that a request left after its time
        cpu_seconds: of the load's process
    """

    by_second: tuple[tuple[int, str, str, int], ...]
    first: Mapping[tuple[str, bool], float]
    last: Mapping[tuple[str, bool], float]
    failures: tuple[tuple[str, float], ...]
    unsent: int
    late_seconds: float
    cpu_seconds: float

    @property
    def requests(self) -> int:
        return sum(count for *_, count in self.by_second)

    @property
    def failed(self) -> int:
        """Answered with 5xx, or not at all."""
        return sum(count for _, _, status, count in self.by_second if not "200" <= status < "500")

    @property
    def lasted(self) -> float:
        """Seconds between the first and the last request."""
        return max(self.last.values(), default=0.0) - min(self.first.values(), default=0.0)

    def by_version(self) -> dict[str, dict[str, int]]:
        """Counts by version and status."""
        found: dict[str, dict[str, int]] = {}
        for _, version, status, count in self.by_second:
            by_status = found.setdefault(version or "nobody", {})
            by_status[status] = by_status.get(status, 0) + count
        return found

    def seconds(self, version: str, good_seconds: float = 0.0) -> float | None:
        """From the first request that this version or nobody got to the last; None where there is none.

        Args:
            good_seconds: of a version that is good for so long after its first request: from its first failure after that on
        """
        ours = [key for key in self.first if key[0] == version or (key[1] and not key[0])]
        if not ours:
            return None
        begins = min(self.first[key] for key in ours)
        if good_seconds:
            # What fails now and then before it turns bad is no part of the fault.
            later = [at for of, at in self.failures if of in (version, NOBODY) and at >= begins + good_seconds]
            if not later:
                return None
            begins = min(later)
        return max(self.last[key] for key in ours) - begins

    def odd(self, stable: str) -> list[list[Any]]:
        """By second since the first request: everything but stable's good answers."""
        begins = int(min(self.first.values(), default=0.0))
        return [
            [second - begins, version, status, count]
            for second, version, status, count in self.by_second
            if version != stable or status != "200"
        ]


def parse(raw: Mapping[str, Any]) -> Seen:
    """What `users` wrote."""
    return Seen(
        by_second=tuple((second, version, status, count) for second, version, status, count in raw["answers"]),
        first={(version, failed): at for version, failed, at in raw["first"]},
        last={(version, failed): at for version, failed, at in raw["last"]},
        failures=tuple((version, at) for version, at in raw["failures"]),
        unsent=raw["unsent"],
        late_seconds=raw["late_seconds"],
        cpu_seconds=raw["cpu_seconds"],
    )


class Asking:
    """Users that ask; `seen` once they have stopped."""

    def __init__(self, process: asyncio.subprocess.Process, file: Path) -> None:
        self._process = process
        self._file = file
        self._seen: Seen | None = None

    @property
    def seen(self) -> Seen:
        assert self._seen is not None, "they still ask"
        return self._seen

    async def stop(self) -> None:
        """Raises:
        Unavailable: they say nothing
        """
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
            self._seen = parse(json.loads(await asyncio.to_thread(self._file.read_text)))
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise Unavailable(f"the load did not end within {STOP_SECONDS:.0f} s") from None
        except (OSError, ValueError) as cause:
            raise Unavailable(f"the load ended with {self._process.returncode} and left nothing: {cause}") from None


@asynccontextmanager
async def asking(url: str, host: str, rate: float, file: Path) -> AsyncIterator[Asking]:
    """So many requests a second for as long as the block lasts."""
    await asyncio.to_thread(file.unlink, missing_ok=True)
    words = (sys.executable, "-m", "bench.kubernetes.users", f"--url={url}", f"--host={host}")
    process = await asyncio.create_subprocess_exec(
        *tied((*words, f"--rate={rate:g}", f"--out={file}")), stdin=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    users = Asking(process, file)
    try:
        yield users
    finally:
        await users.stop()

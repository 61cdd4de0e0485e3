"""Who asks, how often, and what became of each request? A process of its own, so that nobody's work holds a request up.

    python -m bench.kubernetes.users --url http://10.244.250.1:8080 --host shop.example --rate 200 --out users.json

Requests leave by the clock, however slow the answers are; SIGTERM ends it, and then it writes what clients saw, by second,
version and status. What that means is `seen`'s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

MOST_AT_ONCE = 400
"""What would be more is counted as unsent: a load that grows with its own delays measures itself."""
MOST_FAILURES = 20_000
REQUEST_SECONDS = 10.0
NOBODY = ""
"""The version of an answer that no instance gave."""


@dataclass
class Users:
    """What clients have seen until now.

    Args:
        answers: by second (on the system's monotonic clock), version, and status or what happened instead
        first, last: times of answers by version and whether they failed
        failures: version and time of each failed request, up to `MOST_FAILURES`
        unsent: requests that found too many others under way
        late: the longest that a request left after its time, seconds
    """

    answers: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    first: dict[tuple[str, bool], float] = field(default_factory=dict)
    last: dict[tuple[str, bool], float] = field(default_factory=dict)
    failures: list[tuple[str, float]] = field(default_factory=list)
    unsent: int = 0
    late: float = 0.0

    def saw(self, version: str, status: str, sent: float, now: float) -> None:
        """One request's end; a failure is dated by its start, as that is when it was routed."""
        failed = not "200" <= status < "500"
        self.answers[int(sent), version, status] += 1
        if failed and len(self.failures) < MOST_FAILURES:
            self.failures.append((version, sent))
        self.first.setdefault((version, failed), sent)
        self.first[version, failed] = min(sent, self.first[version, failed])
        self.last[version, failed] = max(sent, self.last.get((version, failed), 0.0))

    def as_json(self) -> dict[str, Any]:
        spent = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "answers": [[*key, count] for key, count in sorted(self.answers.items())],
            "first": [[*key, at] for key, at in self.first.items()],
            "last": [[*key, at] for key, at in self.last.items()],
            "failures": [[version, round(at, 4)] for version, at in self.failures],
            "unsent": self.unsent,
            "late_seconds": round(self.late, 4),
            "cpu_seconds": round(spent.ru_utime + spent.ru_stime, 3),
        }


async def ask(users: Users, http: aiohttp.ClientSession, url: str, host: str) -> None:
    """One request. POST: it is never sent a second time by the client itself."""
    sent, version = time.monotonic(), NOBODY
    try:
        async with http.post(url, headers={"Host": host}) as answer:
            body, status = await answer.read(), str(answer.status)
            version = _version(body)
    except (aiohttp.ClientError, OSError, TimeoutError) as trouble:
        status = type(trouble).__name__
    users.saw(version, status, sent, time.monotonic())


def _version(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return NOBODY
    return str(found.get("version", NOBODY)) if isinstance(found, dict) else NOBODY


async def send(users: Users, url: str, host: str, rate: float, end: asyncio.Event) -> None:
    """So many requests a second until the end, and the answers of those that are under way."""
    asking: set[asyncio.Task[None]] = set()
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        began, number = time.monotonic(), 0
        while not end.is_set():
            due, now = began + number / rate, time.monotonic()
            if now < due:
                await asyncio.sleep(due - now)
                continue
            number += 1
            users.late = max(users.late, now - due)
            if len(asking) >= MOST_AT_ONCE:
                users.unsent += 1
                continue
            one = asyncio.ensure_future(ask(users, http, url, host))
            asking.add(one)
            one.add_done_callback(asking.discard)
            await asyncio.sleep(0)
        await asyncio.gather(*asking)


async def serve(given: argparse.Namespace) -> None:
    users, end = Users(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    await send(users, given.url, given.host, given.rate, end)
    temporary = given.out.with_suffix(".tmp")
    temporary.write_text(json.dumps(users.as_json()))
    temporary.replace(given.out)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.kubernetes.users")
    parser.add_argument("--url", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()

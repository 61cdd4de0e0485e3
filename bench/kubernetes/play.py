"""How is one play played? Users that ask, a release by the product or by Flagger, and what clients saw of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from bench.kubernetes.ground import Ground, Say, until
from bench.kubernetes.peer import initialised, released
from bench.kubernetes.row import FLAGGER, NOBODY, RATE, Play, Row
from bench.kubernetes.run import Run, run_of
from bench.kubernetes.seen import asking
from bench.kubernetes.space import Space, policy, space
from serinus.errors import SerinusError, Unavailable
from serinus.local.child import tail, tied

STEADY_SECONDS = 20.0
RELEASE_SECONDS = 600.0
AFTER_SECONDS = 2.0
"""Users go on asking for so long, that what was on its way is seen."""


async def play_row(there: Ground, row: Row, played: Mapping[str, int], done: Callable[[Run], None], say: Say) -> None:
    """Every lane at one time.

    Args:
        played: how often each play was played before, by name
        done: told each run
    """

    async def lane(number: int, plays: list[tuple[Play, int]]) -> None:
        if not plays:
            return
        name = f"{row.name.split()[0]}-{number}"
        try:
            async with space(there, name, plays[0][0]) as where:
                for play, times in plays:
                    for _ in range(times):
                        run = await play_one(where, row.name, play)
                        done(run)
                        say(f"{row.name}: {run.line()}")
        except SerinusError as problem:
            say(f"{row.name}: lane {number} ends here: {problem}")

    left = [[(play, play.times - played.get(play.name, 0)) for play in plays] for plays in row.lanes]
    async with asyncio.TaskGroup() as group:
        for number, plays in enumerate(left):
            group.create_task(lane(number, [(play, times) for play, times in plays if times > 0]))


async def play_one(where: Space, row: str, play: Play) -> Run:
    """One release, from a service that stands to one that stands again."""
    if play.tool == FLAGGER:
        await initialised(where, play)
    stable = await where.stable()
    version = next_good(stable) if play.scenario == "good" else play.version
    cluster = where.there.cluster
    url = cluster.gateway if play.router == "gateway-api" else cluster.ingress
    async with asking(url, where.host, RATE, where.folder / "users.json") as users:
        await until(lambda: where.is_scraped(play.scrape), f"Prometheus has seen {where.name}")
        ended, told = "steady", dict[str, Any]()
        if play.tool == NOBODY:
            await asyncio.sleep(STEADY_SECONDS)
        elif play.tool == FLAGGER:
            ended, told = await released(where, version)
        else:
            ended, told = await _released(where, play, version)
        await asyncio.sleep(AFTER_SECONDS)
    return run_of(row, play, (stable, version), users.seen, ended, told)


def next_good(stable: str) -> str:
    """A version as good as this one."""
    return "v1.2" if stable == "v1.1" else "v1.1"


async def _released(where: Space, play: Play, version: str) -> tuple[str, dict[str, Any]]:
    """`serinus release`, as everybody types it, with the rights that `deployments/kubernetes` gives."""
    file = where.folder / "policy.yaml"
    file.write_text(policy(play, where.name, where.there.prometheus(play.scrape)))
    words = ("-m", "serinus.cli", "release", "shop", version, f"--policy={file}", f"--api={where.there.api}", "--json")
    log = where.folder / "release.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *tied((sys.executable, *words)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            limit=2**20,
            env={**os.environ, "SERINUS_STATE": str(where.folder / "state"), "KUBECONFIG": str(where.account)},
        )
    last = b""
    try:
        assert process.stdout is not None
        async with asyncio.timeout(RELEASE_SECONDS):
            async for line in process.stdout:
                last = line
            await process.wait()
    except TimeoutError as cause:
        raise Unavailable(f"{play.name}: no end within {RELEASE_SECONDS:g} s: {tail(log)}") from cause
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    with suppress(ValueError):
        said = json.loads(last)
        if isinstance(said, dict) and "outcome" in said:
            return str(said["outcome"]), said
    return f"exit code {process.returncode}", {"said": f"{last.decode(errors='replace')[-500:]} {tail(log)}"}

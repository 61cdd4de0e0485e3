"""What does every row stand on? A cluster, Prefect, three Prometheus servers and Flagger, in a network namespace of their own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from serinus.errors import Unavailable
from serinus.local import prefect_server, programs
from serinus.local.child import Child, Command, Register, start, tail, tied
from serinus.local.cluster import flagger, namespace, objects, telemetry
from serinus.local.cluster.cluster import Cluster, read
from serinus.local.cluster.programs import CONTOUR, FLAGGER, KUBERNETES, build

PREFECT = 4200
SCRAPES = {1: telemetry.PORT, 15: 9091, 30: 9092}
"""How often each Prometheus looks, and its port."""
READY_SECONDS = 90.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.1

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything that runs.

    Args:
        folder: its files
        api: the Prefect server's, with /api
    """

    folder: Path
    cluster: Cluster
    api: str
    children: dict[str, Child]

    def prometheus(self, scrape: int) -> str:
        return f"http://127.0.0.1:{SCRAPES[scrape]}"


def prepare(say: Say) -> None:
    """Fetch and build what is not there yet, as long as this process can reach the machine's network."""
    build((KUBERNETES, CONTOUR, FLAGGER), say)
    programs.obtain("prometheus")
    programs.envoy()
    programs.migrated_database(say)


def enter(arguments: list[str]) -> None:
    """Move this process into a network namespace of its own; where only root of a user namespace may, it begins again as that.

    Raises:
        Refused: this machine lets nobody; the text says what to do
    """
    if not namespace.mighty():
        os.execvp("unshare", namespace.privileged([sys.executable, "-m", "bench.kubernetes", *arguments]))
    namespace.enter()


@asynccontextmanager
async def ground(folder: Path, say: Say) -> AsyncIterator[Ground]:
    """Up, and everything ended at its end.

    Raises:
        Unavailable: a part did not come up; its log's last lines say why
    """
    await asyncio.to_thread((folder / "cluster").mkdir, parents=True)
    register = Register(folder / "processes.json")
    async with AsyncExitStack() as stack:
        children: dict[str, Child] = {}

        async def run(command: Command) -> None:
            children[command.name] = child = await start(command, register)
            stack.push_async_callback(child.stop, STOP_SECONDS)

        cluster = await _cluster(folder / "cluster", run)
        say("the cluster answers")
        prefect_server.place_database(folder / "prefect", say)
        await run(prefect_server.command(folder / "prefect", PREFECT, cluster.log("prefect")))
        for scrape, port in SCRAPES.items():
            if port != telemetry.PORT:
                name = f"prometheus-{scrape}s"
                await run(telemetry.prometheus(cluster.folder, scrape_seconds=scrape, port=port, name=name))
        async with objects.connect(cluster.kubeconfig) as api:
            await flagger.define(api)
        await run(flagger.command(cluster))
        there = Ground(folder, cluster, f"http://127.0.0.1:{PREFECT}/api", children)
        await _answers(there)
        await _deployed(there)
        say("Prefect, Prometheus at 1, 15 and 30 s, and Flagger answer")
        yield there


async def _cluster(folder: Path, run: Callable[[Command], Awaitable[None]]) -> Cluster:
    log = folder / "up.log"
    words = (sys.executable, "-m", "serinus.local.cluster", "up", "--inside", "--folder", str(folder))
    await run(Command("cluster", words, log))
    found: list[Cluster] = []

    async def ready() -> bool:
        found.extend(filter(None, (read(folder),)))
        return bool(found)

    await until(ready, lambda: f"the cluster answers: {tail(log)}")
    return found[0]


async def _answers(there: Ground) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:

        async def all_do() -> bool:
            for port in SCRAPES.values():
                (await http.get(f"http://127.0.0.1:{port}/-/ready")).raise_for_status()
            (await http.get(f"http://127.0.0.1:{flagger.PORT}/healthz")).raise_for_status()
            return await prefect_server.answers(http, there.api)

        await until(all_do, lambda: f"Prefect, Prometheus and Flagger answer; see {there.cluster.folder / 'logs'}")


async def _deployed(there: Ground) -> None:
    """The flows, as `serinus local deploy` and everybody's own deployment have them."""
    code = "import asyncio, sys; from flows.deploy import deploy; asyncio.run(deploy(sys.argv[1]))"
    process = await asyncio.create_subprocess_exec(
        *tied((sys.executable, "-c", code, there.api)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "SERINUS_STATE": str(there.folder / "state")},
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise Unavailable(f"the flows could not be deployed: {said.decode(errors='replace')[-500:]}")


async def until(
    holds: Callable[[], Awaitable[bool]],
    what: Callable[[], str] | str,
    seconds: float = READY_SECONDS,
    poll: float = POLL_SECONDS,
) -> None:
    """Ask until it is so.

    Raises:
        Unavailable: it is not, after so long
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            if await holds():
                return
        except (httpx.HTTPError, OSError, ValueError):
            pass
        if loop.time() > deadline:
            told = what if isinstance(what, str) else what()
            raise Unavailable(f"waited {seconds:.0f} s, and still not: {told}")
        await asyncio.sleep(poll)

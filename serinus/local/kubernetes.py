"""Who starts a Kubernetes for people, with a service on it and a Prefect server beside it, leads in to it, and leaves nothing behind?

The cluster's own parts are `cluster.up`'s, in a network namespace, as one child; Prefect and the guard live outside of it, where
people are. One of these, or one plain platform (`supervisor`), a state folder.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from serinus.errors import SerinusError, Unavailable
from serinus.local import prefect_server, programs
from serinus.local.addresses import LOOPBACK, Block, claim_block
from serinus.local.child import Command, Register, registered, start, tail
from serinus.local.cluster import objects, relay, shop
from serinus.local.cluster.cluster import FILE, Cluster, read
from serinus.local.cluster.programs import KUBERNETES
from serinus.local.kept import Kept, how
from serinus.local.platform import OnKubernetes, Platform, platform_file, write_platform
from serinus.local.programs import Say
from serinus.local.supervisor import end_leftovers, first, fresh, held, port_of
from serinus.settings import Folders
from serinus.stores.process import identity_of
from serinus.within import within

CONTEXT = "serinus"
"""The kubeconfig's."""
READY_SECONDS = 120.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.1
BAD_START_DEATHS = 3

Guard = Callable[[OnKubernetes, Path], Command]
"""What looks at the releases of the namespace, with the log given; a child like the others."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Demanded ones; None is any free one."""

    prefect: int | None = None
    prometheus: int | None = None


@dataclass(slots=True)
class Parts:
    """What it is made of while it runs: where everything is, and what is kept.

    Args:
        led: ports of 127.0.0.1, by what they lead to
    """

    platform: Platform
    led: dict[str, int]
    cluster: Command
    kept: dict[str, Kept]
    register: Register
    say: Say

    @property
    def kubernetes(self) -> OnKubernetes:
        assert self.platform.kubernetes is not None
        return self.platform.kubernetes


async def up(folders: Folders, ports: Ports, guard: Guard, say: Say) -> None:
    """Run it until cancelled; then everything is stopped. The cluster's programs are built already.

    Raises:
        Refused: a platform runs in this folder, a demanded port is taken, a program is missing
        Unavailable: a part did not come up, or the cluster ended; its log's last lines say why
    """
    folders.state.mkdir(parents=True, exist_ok=True)
    with held(folders):
        register = folders.state / "processes.json"
        await end_leftovers(registered(register), say)
        with _block() as block:
            try:
                await _run(folders, await _assemble(folders, ports, guard, block, Register(register), say))
            finally:
                platform_file(folders).unlink(missing_ok=True)


def home_of(folders: Folders) -> Path:
    """Where the cluster's own files lie."""
    return folders.state / "cluster"


@contextmanager
def _block() -> Iterator[Block]:
    block = claim_block()
    try:
        yield block
    finally:
        block.release()


async def _assemble(folders: Folders, ports: Ports, guard: Guard, block: Block, register: Register, say: Say) -> Parts:
    """Ports chosen, nothing started yet."""
    me = identity_of(os.getpid())
    assert me is not None
    logs, home = folders.state / "logs", home_of(folders)
    logs.mkdir(exist_ok=True)
    (home / FILE).unlink(missing_ok=True)
    prefect = port_of(block, ports.prefect, "the Prefect server")
    led = {
        "prometheus": port_of(block, ports.prometheus, "Prometheus"),
        **{name: block.take() for name in ("api", "ingress", "gateway", "envoy_admin")},
    }
    here = f"http://{LOOPBACK}"
    kubernetes = OnKubernetes(
        kubeconfig=str(home / relay.KUBECONFIG),
        kubectl=str(KUBERNETES.home / "kubectl"),
        namespace=shop.NAMESPACE,
        host=shop.HOST,
        policy=str(folders.state / "shop.yaml"),
        cluster=str(home),
    )
    platform = Platform(
        *(me.pid, me.start_time, me.boot_id, False, ()),
        prefect_api=f"{here}:{prefect}/api",
        prefect_ui=f"{here}:{prefect}",
        prometheus=f"{here}:{led['prometheus']}",
        envoy_admin=f"{here}:{led['envoy_admin']}",
        traffic={shop.SERVICE: f"{here}:{led['ingress']}"},
        scrape_seconds=1.0,
        logs=str(logs),
        kubernetes=kubernetes,
    )
    await asyncio.to_thread(prefect_server.place_database, folders.state / "prefect", say)
    await asyncio.to_thread(programs.obtain, "prometheus", say)  # nothing can be fetched inside
    words = (sys.executable, "-m", "serinus.local.cluster", "up", "--folder", str(home))
    commands = (
        prefect_server.command(folders.state / "prefect", prefect, fresh(logs / "prefect.log")),
        guard(kubernetes, fresh(logs / "guard.log")),
    )
    kept = {command.name: Kept(command, register, say) for command in commands}
    return Parts(platform, led, Command("cluster", words, fresh(logs / "cluster.log")), kept, register, say)


async def _run(folders: Folders, parts: Parts) -> None:
    write_platform(folders, parts.platform)
    try:
        async with asyncio.TaskGroup() as group, httpx.AsyncClient(trust_env=False) as http:
            group.create_task(_cluster(parts))
            group.create_task(_told(parts.cluster.log, Path(parts.kubernetes.cluster) / "access", parts.say))
            group.create_task(parts.kept["prefect"].run())
            cluster = await _begun(parts)
            async with relay.outside(cluster, parts.led):
                await _opened(parts, http)
                group.create_task(parts.kept["guard"].run())
                write_platform(folders, replace(parts.platform, ready=True))
                parts.say(f"ready: {shop.SERVICE} {parts.platform.traffic[shop.SERVICE]} for Host {shop.HOST}")
                await asyncio.Event().wait()
    except BaseExceptionGroup as several:
        ours = several.subgroup(SerinusError)
        if ours is None:
            raise
        raise first(ours) from None


async def _cluster(parts: Parts) -> None:
    """One life: what a cluster holds does not outlive it, so a second one would not be the same."""
    child = await start(parts.cluster, parts.register)
    try:
        code = await child.ended()
    except asyncio.CancelledError:
        await child.stop(STOP_SECONDS)
        raise
    raise Unavailable(f"the cluster {how(code)}: {tail(parts.cluster.log) or 'it said nothing'}")


async def _begun(parts: Parts) -> Cluster:
    """The cluster, once it is ready."""
    async with _patience("the cluster", parts):
        while (found := read(Path(parts.kubernetes.cluster))) is None:  # noqa: ASYNC110 (a file tells nobody that it is there)
            await asyncio.sleep(POLL_SECONDS)
    return found


async def _opened(parts: Parts, http: httpx.AsyncClient) -> None:
    """The service serves, and the Prefect server answers."""
    kubernetes, platform = parts.kubernetes, parts.platform
    async with objects.connect(Path(kubernetes.kubeconfig)) as api:
        await shop.create(api)
    policy = shop.policy(platform.prometheus, CONTEXT)
    await asyncio.to_thread(Path(kubernetes.policy).write_text, policy)
    await shop.until_served(http, platform.traffic[shop.SERVICE])
    parts.say(f"{shop.SERVICE} {shop.STABLE} serves in namespace {shop.NAMESPACE}, in {shop.REPLICAS} pods")
    prefect = parts.kept["prefect"]
    async with _patience("prefect", parts):
        while not await prefect_server.answers(http, platform.prefect_api):
            if prefect.deaths >= BAD_START_DEATHS:
                raise Unavailable(f"prefect does not start: {tail(prefect.command.log) or 'it says nothing'}")
            await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def _patience(what: str, parts: Parts) -> AsyncIterator[None]:
    try:
        async with within(READY_SECONDS):
            yield
    except TimeoutError:
        raise Unavailable(f"{what} did not answer within {READY_SECONDS:.0f} s; see {parts.platform.logs}") from None


async def _told(log: Path, inner: Path, say: Say) -> None:
    """Each line of the log as written, until cancelled, not those that name a kubeconfig for the inside, which leads nowhere here."""
    with log.open(errors="replace") as file:
        begun = ""
        while True:
            begun += file.readline()
            if begun.endswith("\n"):
                if str(inner) not in begun:
                    say(begun.rstrip())
                begun = ""
            else:
                await asyncio.sleep(POLL_SECONDS)

"""Who starts everything of the local platform, keeps it running, guards its releases, and leaves nothing behind?

One supervisor a state folder. Decisions on releases are the guard's, which is handed in; how each part is set up is its own module's.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from serinus.errors import Refused, SerinusError, Unavailable
from serinus.local import envoy, prefect_server, programs, prometheus
from serinus.local.addresses import LOOPBACK, Block, claim_block
from serinus.local.child import Register, end, registered
from serinus.local.kept import Kept
from serinus.local.node import Node, Site
from serinus.local.platform import Platform, platform_file, read_platform, write_platform
from serinus.local.programs import Say
from serinus.local.readiness import Parts, until_ready
from serinus.local.service import Service, begin
from serinus.routers.envoy import initial
from serinus.settings import Folders
from serinus.stores.pods import CANARY, STABLE
from serinus.stores.process import Identity, identity_of
from serinus.within import within

GUARD_SECONDS = 2.0
GUARD_TIMEOUT_SECONDS = 30.0
"""A look returns within seconds, whatever one service does: it bounds each by itself."""
LEFTOVER_SECONDS = 5.0

Guard = Callable[[], Awaitable[Sequence[str]]]
"""One look at every service; a sentence for each thing that it did."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a platform is run.

    Args:
        scrape_seconds: how often Prometheus looks at Envoy
        prefect_port, prometheus_port: demanded ones; None is any free one

    Raises:
        Refused: no such interval
    """

    scrape_seconds: float = 1.0
    prefect_port: int | None = None
    prometheus_port: int | None = None

    def __post_init__(self) -> None:
        if not 0.1 <= self.scrape_seconds <= 300:
            raise Refused(f"Prometheus can look every 0.1 s to 5 min, not every {self.scrape_seconds:g} s")


async def up(
    folders: Folders,
    services: Sequence[Service],
    options: Options = Options(),
    guard: Guard | None = None,
    say: Say = print,
) -> None:
    """Run the platform until cancelled; then everything is stopped.

    Args:
        guard: looked with every two seconds; without one only Envoy's file is held to the route
        say: told one line for each thing that happens

    Raises:
        Refused: another one runs in this folder, a demanded port is taken, a program is missing
        Unavailable: a part did not come up; its log's last lines say why
    """
    names = [one.name for one in services]
    if not names or len(set(names)) < len(names):
        raise Refused(f"a platform needs at least one service, each with a name of its own, not {names}")
    folders.state.mkdir(parents=True, exist_ok=True)
    with held(folders):
        me = identity_of(os.getpid())
        assert me is not None
        register_file = folders.state / "processes.json"
        await end_leftovers(registered(register_file), say)
        block = claim_block()
        try:
            async with httpx.AsyncClient(trust_env=False, verify=False) as client:
                parts = await _assemble(folders, services, options, me, block, Register(register_file), client, say)
                await _run(folders, parts, guard)
        finally:
            platform_file(folders).unlink(missing_ok=True)
            block.release()


@contextmanager
def held(folders: Folders) -> Iterator[None]:
    """The folder is ours; the kernel lets it go with this process, however that ends."""
    with (folders.state / "supervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            running = read_platform(folders)
            who = f" (pid {running.pid})" if running else ""
            raise Refused(f"a platform already runs in {folders.state}{who}: `serinus local down` ends it") from None
        yield


async def end_leftovers(leftovers: tuple[Identity, ...], say: Say) -> None:
    """What a supervisor that was killed left running.

    Raises:
        Unavailable: it does not end
    """
    alive = tuple(identity for identity in leftovers if identity.alive)
    if not alive:
        return
    say(f"ending {len(alive)} processes that an earlier supervisor left")
    try:
        await end(alive, LEFTOVER_SECONDS)
    except TimeoutError:
        raise Unavailable(
            f"processes {', '.join(str(one.pid) for one in alive)} of an earlier supervisor do not end"
        ) from None


async def _assemble(
    folders: Folders,
    services: Sequence[Service],
    options: Options,
    me: Identity,
    block: Block,
    register: Register,
    client: httpx.AsyncClient,
    say: Say,
) -> Parts:
    """Addresses chosen, files written, nothing started yet."""
    logs = folders.state / "logs"
    logs.mkdir(exist_ok=True)
    traffic = {one.name: port_of(block, one.port, f"the traffic of {one.name}") for one in services}
    admin = block.take()
    prometheus_port = port_of(block, options.prometheus_port, "Prometheus")
    prefect_port = port_of(block, options.prefect_port, "the Prefect server")
    files = envoy.Files(folders.state)
    for one in services:
        await asyncio.to_thread(begin, folders, one)
        for arm in (STABLE, CANARY):
            envoy.write_endpoints(files, one.name, arm, ())
    envoy.write_bootstrap(files, traffic, admin)
    prometheus.write_config(folders.state / "prometheus" / "prometheus.yaml", admin, options.scrape_seconds)
    await asyncio.to_thread(prefect_server.place_database, folders.state / "prefect", say)
    await asyncio.to_thread(programs.obtain, "prometheus", say)
    commands = (
        envoy.command(files, fresh(logs / "envoy.log")),
        prometheus.command(folders.state / "prometheus", prometheus_port, fresh(logs / "prometheus.log")),
        prefect_server.command(folders.state / "prefect", prefect_port, fresh(logs / "prefect.log")),
    )
    here = f"http://{LOOPBACK}"
    platform = Platform(
        *(me.pid, me.start_time, me.boot_id, False, tuple(traffic)),
        prefect_api=f"{here}:{prefect_port}/api",
        prefect_ui=f"{here}:{prefect_port}",
        prometheus=f"{here}:{prometheus_port}",
        envoy_admin=f"{here}:{admin}",
        traffic={name: f"{here}:{port}" for name, port in traffic.items()},
        scrape_seconds=options.scrape_seconds,
        logs=str(logs),
    )
    site = Site(files, logs, block, register, client, envoy.Admin(client, platform.envoy_admin), me, say)
    return Parts(
        platform,
        {command.name: Kept(command, register, say) for command in commands},
        {name: Node(name, folders.service(name), site) for name in traffic},
        client,
        say,
    )


def port_of(block: Block, demanded: int | None, what: str) -> int:
    """The one demanded, else any free one."""
    return block.take() if demanded is None else block.demand(demanded, what)


def fresh(log: Path) -> Path:
    """The log, empty."""
    log.write_bytes(b"")
    return log


async def _run(folders: Folders, parts: Parts, guard: Guard | None) -> None:
    write_platform(folders, parts.platform)
    try:
        async with asyncio.TaskGroup() as group:
            runners: tuple[Kept | Node, ...] = (*parts.children.values(), *parts.nodes.values())
            for runner in runners:
                group.create_task(runner.run())
            await until_ready(parts)
            write_platform(folders, replace(parts.platform, ready=True, children=_pids(parts)))
            parts.say("ready: " + ", ".join(f"{name} {url}" for name, url in parts.platform.traffic.items()))
            group.create_task(_guard(folders, parts, guard))
    except BaseExceptionGroup as several:
        ours = several.subgroup(SerinusError)
        if ours is None:
            raise
        raise first(ours) from None


def first(group: BaseExceptionGroup[SerinusError]) -> SerinusError:
    """One of several that failed, for people."""
    one = group.exceptions[0]
    return first(one) if isinstance(one, BaseExceptionGroup) else one


async def _guard(folders: Folders, parts: Parts, guard: Guard | None) -> None:
    """Look every two seconds and say what was done; nothing that fails here stops the platform."""
    log = folders.state / "logs" / "guard.log"
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        for line in await _looked(folders, parts, guard):
            parts.say(f"guard: {line}")
            # A full disk must not end what serves users: the line was said already.
            with suppress(OSError), log.open("a") as file:
                file.write(line + "\n")
        with suppress(OSError):
            write_platform(folders, replace(parts.platform, ready=True, children=_pids(parts)))
        await asyncio.sleep(max(0.0, GUARD_SECONDS - (loop.time() - began)))


async def _looked(folders: Folders, parts: Parts, guard: Guard | None) -> Sequence[str]:
    try:
        if guard is None:
            for service in parts.nodes:
                await asyncio.to_thread(initial, folders, service)
            return ()
        async with within(GUARD_TIMEOUT_SECONDS):
            return await guard()
    except TimeoutError:
        return (f"its look took more than {GUARD_TIMEOUT_SECONDS:.0f} s and was given up",)
    except Exception as problem:
        # Whatever the guard meets, the processes that serve users go on; the next look is two seconds away.
        return (f"its look failed: {type(problem).__name__}: {problem}",)


def _pids(parts: Parts) -> dict[str, int]:
    return {name: kept.pid for name, kept in parts.children.items() if kept.pid is not None}

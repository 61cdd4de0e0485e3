"""The local platform for tests: whole as a process of its own, or Envoy and one service's processes inside the test's loop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serinus.local import envoy
from serinus.local.addresses import claim_block
from serinus.local.child import Register, registered, tail, tied
from serinus.local.kept import Kept
from serinus.local.node import Node, Site
from serinus.local.platform import Platform, read_platform
from serinus.local.service import Service, begin
from serinus.settings import Folders
from serinus.stores.pods import PodStatus, read_pods
from serinus.stores.process import Identity, identity_of
from serinus.stores.revisions import Store

UP_SECONDS = 100.0


@dataclass(slots=True)
class Stores:
    """One service as its stores want it and as the supervisor sees it."""

    folders: Folders
    service: str = "shop"

    def pods(self, arm: str) -> tuple[PodStatus, ...]:
        word = read_pods(self.folders.service(self.service))
        return tuple(pod for pod in word.pods if pod.arm == arm) if word else ()

    def want(self, arm: str, version: str, replicas: int, **more: Any) -> None:
        """Write the arm's store, as a workload adapter does."""
        store = Store(self.folders.service(self.service) / arm)
        found = store.read()
        content = {"template": {"version": version}, "replicas": replicas, **more}
        store.write(json.dumps(content).encode(), found[0] if found else 0)

    def all_serve(self, arm: str, version: str, replicas: int) -> bool:
        here = self.pods(arm)
        well = [pod for pod in here if pod.version == version and pod.serving and not pod.leaving]
        return len(here) == len(well) == replicas

    async def serve(self, arm: str, version: str, replicas: int) -> None:
        await until(lambda: self.all_serve(arm, version, replicas), f"{replicas} of {version} serve: {self.pods(arm)}")

    async def trouble(self, arm: str, trouble: str) -> PodStatus:
        def those() -> list[PodStatus]:
            return [pod for pod in self.pods(arm) if pod.trouble == trouble]

        await until(lambda: bool(those()), f"{trouble}: {self.pods(arm)}")
        return those()[0]


@dataclass(slots=True)
class Front:
    """Envoy before one service's processes."""

    stores: Stores
    url: str
    admin: str
    envoy: Kept
    node: Node


@asynccontextmanager
async def front(folders: Folders, service: Service, said: list[str] | None = None) -> AsyncIterator[Front]:
    """Envoy and one service, once stable serves; no Prometheus, no Prefect."""
    logs = folders.state / "logs"
    logs.mkdir(parents=True)
    block, files, say = claim_block(), envoy.Files(folders.state), (said if said is not None else []).append
    port, admin_port = block.take(), block.take()
    begin(folders, service)
    for arm in ("stable", "canary"):
        envoy.write_endpoints(files, service.name, arm, ())
    envoy.write_bootstrap(files, {service.name: port}, admin_port)
    register = Register(folders.state / "processes.json")
    me = identity_of(os.getpid())
    assert me is not None
    async with httpx.AsyncClient(trust_env=False, verify=False) as client, asyncio.TaskGroup() as group:
        admin = envoy.Admin(client, f"http://127.0.0.1:{admin_port}")
        node = Node(
            service.name, folders.service(service.name), Site(files, logs, block, register, client, admin, me, say)
        )
        kept = Kept(envoy.command(files, logs / "envoy.log"), register, say)
        tasks = [group.create_task(kept.run()), group.create_task(node.run())]
        stores = Stores(folders, service.name)
        try:
            await stores.serve("stable", service.version, service.replicas)
            yield Front(stores, f"http://127.0.0.1:{port}", admin.url, kept, node)
        finally:
            for task in tasks:
                task.cancel()
    block.release()


@dataclass(slots=True)
class Running:
    """One platform."""

    folders: Folders
    process: asyncio.subprocess.Process
    log: Path

    @property
    def platform(self) -> Platform:
        found = read_platform(self.folders)
        assert found is not None, self.said
        return found

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def children(self) -> tuple[Identity, ...]:
        return registered(self.folders.state / "processes.json")

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 20)


async def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait for a condition, not for time."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:.0f} s: {what}") from None


async def launch(folders: Folders, *options: str) -> Running:
    """Start a supervisor; not waited for."""
    folders.state.mkdir(parents=True, exist_ok=True)
    log = folders.state / "supervisor.log"
    words = (sys.executable, "-m", "serinus.local", "--state", str(folders.state), *options)
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(*tied(words), stdout=file, stderr=file)
    return Running(folders, process, log)


@asynccontextmanager
async def running(folders: Folders, *options: str) -> AsyncIterator[Running]:
    """A platform that is ready; ended with the block."""
    started = await launch(folders, *options)

    def is_ready() -> bool:
        assert started.process.returncode is None, started.said
        platform = read_platform(folders)
        return platform is not None and platform.ready and platform.pid == started.process.pid

    try:
        await until(is_ready, f"the platform is ready; it said {tail(started.log)}", UP_SECONDS)
        yield started
    finally:
        await started.end()

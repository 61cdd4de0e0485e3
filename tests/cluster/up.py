"""Who starts a cluster, sees every part of it answer, keeps it, and leaves nothing behind?

It runs inside the cluster's network namespace and is the parent of every process there.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from serinus.errors import Refused, Unavailable
from serinus.local.child import Command, Register, end, registered, tail
from serinus.local.programs import Say
from tests.cluster import control_plane, credentials, discovery, ingress, node_process, objects, relay, telemetry
from tests.cluster.cluster import FILE, HELD, PIDS, Cluster, write
from tests.cluster.keeping import Part
from tests.cluster.programs import program

READY_SECONDS = 60.0
POLL_SECONDS = 0.05
ASK_SECONDS = 2.0
BAD_START_DEATHS = 3
LONGEST_SOCKET_PATH = 107
KINDS = ("contour", "gateway-api")

Condition = Callable[[], Awaitable[bool]]
Keep = Callable[[Command], Part]


async def up(folder: Path, say: Say) -> None:
    """Run a cluster until cancelled.

    Raises:
        Refused: the folder cannot hold one
        Unavailable: a part did not come up; its log's last lines say why
    """
    _prepare(folder)
    await end(tuple(one for one in registered(folder / "processes.json") if one.alive))
    access = credentials.write(folder / "access", f"https://{control_plane.LOOPBACK}:{control_plane.API}")
    cluster = _described(folder, access)
    async with _kept(folder, say) as keep:
        await _assemble(cluster, access, keep, say)
        async with relay.inside(cluster):
            write(cluster)
            say(f"ready: KUBECONFIG={cluster.kubeconfig}")
            await discovery.discover(access.kubeconfig("prometheus"), telemetry.pods(folder))


def _described(folder: Path, access: credentials.Credentials) -> Cluster:
    return Cluster(
        folder=folder,
        pid=os.getpid(),
        api=access.server,
        kubeconfig=access.kubeconfig("admin"),
        ingress=f"http://{ingress.ADDRESS}",
        gateway=f"http://{ingress.ADDRESS}:{ingress.GATEWAY_PORT}",
        prometheus=f"http://{control_plane.LOOPBACK}:{telemetry.PORT}",
        envoy_admin=ingress.admin(folder),
        kubectl=program("kubectl"),
    )


async def _assemble(cluster: Cluster, access: credentials.Credentials, keep: Keep, say: Say) -> None:
    """Start every part as soon as what it needs is there, and see each answer."""
    folder, logs = cluster.folder, cluster.folder / "logs"
    base = [keep(control_plane.etcd(folder, logs)), keep(control_plane.api_server(access, logs))]
    await _until("kube-apiserver", base, lambda: _api_answers(access), say)
    parts = [
        *base,
        keep(control_plane.controller_manager(access, logs)),
        keep(control_plane.scheduler(access, logs)),
        keep(telemetry.prometheus(folder)),
        keep(node_process.command(access, folder, logs)),
    ]
    async with (
        objects.connect(cluster.kubeconfig) as api,
        httpx.AsyncClient(trust_env=False, timeout=ASK_SECONDS) as client,
    ):
        await objects.define(api, KINDS)
        await objects.open_gateway(api)
        parts += [keep(ingress.contour(access, folder, logs)), keep(ingress.proxy(folder, logs))]
        await asyncio.gather(
            _until("kube-controller-manager", parts, lambda: _default_account(api), say),
            _until("node", parts, lambda: node_process.ready(api), say),
            _until("contour", parts, lambda: objects.gateway_is_open(api), say),
            _until("prometheus", parts, lambda: _envoy_is_seen(client, cluster.prometheus), say),
        )


def _prepare(folder: Path) -> None:
    """Nothing of an earlier cluster but the list of its processes."""
    longest = max(ingress.admin(folder), folder / relay.FOLDER / "prometheus", key=lambda path: len(str(path)))
    if len(str(longest)) > LONGEST_SOCKET_PATH:
        raise Refused(f"{folder} is too long a path for a socket in it: choose a shorter one")
    (folder / FILE).unlink(missing_ok=True)
    for name in (PIDS, HELD, "etcd", "prometheus", "access", "logs", "node"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (PIDS, HELD, "logs"):
        (folder / name).mkdir(parents=True)
    ingress.admin(folder).unlink(missing_ok=True)


@asynccontextmanager
async def _kept(folder: Path, say: Say) -> AsyncIterator[Keep]:
    """What starts a part and keeps it; at the end all of them are stopped, the newest first."""
    tasks: list[asyncio.Task[None]] = []
    register = Register(folder / "processes.json")

    def keep(command: Command) -> Part:
        part = Part(command, register, folder / PIDS, folder / HELD, say)
        tasks.append(asyncio.create_task(part.run(), name=command.name))
        return part

    try:
        yield keep
    finally:
        (folder / FILE).unlink(missing_ok=True)
        for task in reversed(tasks):
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _until(name: str, parts: list[Part], holds: Condition, say: Say) -> None:
    """This part answers.

    Raises:
        Unavailable: one died again and again, or this one did not answer in time
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not await _said(holds):
        for part in parts:
            if part.deaths >= BAD_START_DEATHS:
                raise Unavailable(f"{part.name} does not start: {tail(part.command.log) or 'it says nothing'}")
        if loop.time() - began > READY_SECONDS:
            raise Unavailable(f"{name} did not answer within {READY_SECONDS:.0f} s; see {parts[0].command.log.parent}")
        await asyncio.sleep(POLL_SECONDS)
    say(f"{name} answers after {loop.time() - began:.1f} s")


async def _said(holds: Condition) -> bool:
    try:
        return await holds()
    except (httpx.HTTPError, OSError, ValueError):
        return False


async def _api_answers(access: credentials.Credentials) -> bool:
    async with objects.connect(access.kubeconfig("admin")) as client:
        return (await client.get("/readyz")).text == "ok"


async def _default_account(api: httpx.AsyncClient) -> bool:
    """The controllers work: one of them has made this."""
    return (await api.get("/api/v1/namespaces/default/serviceaccounts/default")).status_code == 200


async def _envoy_is_seen(client: httpx.AsyncClient, prometheus: str) -> bool:
    answer = await client.get(f"{prometheus}/api/v1/query", params={"query": 'up{job="envoy"} == 1'})
    return answer.status_code == 200 and bool(answer.json()["data"]["result"])

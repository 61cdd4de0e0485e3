"""Who starts a cluster, sees every part of it answer, keeps it, and leaves nothing behind?

It runs inside the cluster's network namespace and is the parent of every process there.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from serinus.errors import Refused
from serinus.local.child import end, registered
from serinus.local.cluster import (
    control_plane,
    credentials,
    discovery,
    ingress,
    node_process,
    objects,
    relay,
    store,
    telemetry,
)
from serinus.local.cluster.cluster import FILE, HELD, PIDS, Cluster, write
from serinus.local.cluster.keeping import Keep, kept
from serinus.local.cluster.programs import program
from serinus.local.cluster.readiness import api_answers, until
from serinus.local.programs import Say

ASK_SECONDS = 2.0
LONGEST_SOCKET_PATH = 107


async def up(folder: Path, say: Say) -> None:
    """Run a cluster until cancelled.

    Raises:
        Refused: the folder cannot hold one, or holds one that runs
        Unavailable: a part did not come up; its log's last lines say why
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder):
        _prepare(folder)
        await end(tuple(one for one in registered(folder / "processes.json") if one.alive))
        await store.prepare(folder, say)
        store.copy(folder)
        access = credentials.write(folder / "access", f"https://{control_plane.LOOPBACK}:{control_plane.API}")
        cluster = _described(folder, access)
        async with kept(folder, say) as keep:
            await _assemble(cluster, access, keep, say)
            await _run(cluster, access, say)


async def _run(cluster: Cluster, access: credentials.Credentials, say: Say) -> None:
    """Until cancelled."""
    async with relay.inside(cluster):
        write(cluster)
        say(f"ready: KUBECONFIG={cluster.kubeconfig}")
        try:
            await discovery.discover(access.kubeconfig("prometheus"), telemetry.pods(cluster.folder))
        finally:
            (cluster.folder / FILE).unlink(missing_ok=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder is ours; the kernel lets it go with this process, however that ends."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"a cluster runs in {folder} already: end it, or name another --folder") from None
        yield


def _described(folder: Path, access: credentials.Credentials) -> Cluster:
    return Cluster(
        folder=folder,
        pid=os.getpid(),
        api=access.server,
        kubeconfig=access.kubeconfig("admin"),
        ingress=f"http://{ingress.ADDRESS}:{ingress.PORT}",
        gateway=f"http://{ingress.ADDRESS}:{ingress.PORT}",
        prometheus=f"http://{control_plane.LOOPBACK}:{telemetry.PORT}",
        envoy_admin=ingress.admin(folder),
        kubectl=program("kubectl"),
    )


async def _assemble(cluster: Cluster, access: credentials.Credentials, keep: Keep, say: Say) -> None:
    """Start every part as soon as what it needs is there, and see each answer."""
    folder, logs = cluster.folder, cluster.folder / "logs"
    # Those that wait by themselves for the API server start with it: a processor is idle then.
    parts = [
        keep(control_plane.etcd(folder, logs)),
        keep(control_plane.api_server(access, logs)),
        keep(node_process.command(access, folder, logs)),
        keep(telemetry.prometheus(folder)),
    ]
    await until("kube-apiserver", parts, lambda: api_answers(access), say)
    parts += [keep(control_plane.controller_manager(access, logs)), keep(control_plane.scheduler(access, logs))]
    async with (
        objects.connect(cluster.kubeconfig) as api,
        httpx.AsyncClient(trust_env=False, timeout=ASK_SECONDS) as client,
    ):
        await until("kinds", parts, lambda: objects.serves(api, store.KINDS), say)
        parts.append(keep(ingress.contour(access, folder, logs)))
        # Envoy that finds no Contour waits longer each time.
        await until("contour", parts, lambda: objects.gateway_is_open(api), say)
        parts.append(keep(ingress.proxy(folder, logs)))
        await asyncio.gather(
            until("kube-controller-manager", parts, lambda: _default_account(api), say),
            until("node", parts, lambda: node_process.ready(api), say),
            until("envoy", parts, lambda: _envoy_serves(client, cluster.ingress), say),
            until("prometheus", parts, lambda: _envoy_is_seen(client, cluster.prometheus), say),
        )


def fits(folder: Path) -> None:
    """Sockets can lie in it.

    Raises:
        Refused: they cannot
    """
    longest = max(ingress.admin(folder), folder / relay.FOLDER / "prometheus", key=lambda path: len(str(path)))
    if len(str(longest)) > LONGEST_SOCKET_PATH:
        raise Refused(f"{folder} is too long a path for a socket in it: choose a shorter one")


def _prepare(folder: Path) -> None:
    """Nothing of an earlier cluster but the list of its processes."""
    fits(folder)
    (folder / FILE).unlink(missing_ok=True)
    for name in (PIDS, HELD, store.FOLDER, "prometheus", "access", "logs", "node"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (PIDS, HELD, "logs"):
        (folder / name).mkdir(parents=True)
    ingress.admin(folder).unlink(missing_ok=True)


async def _default_account(api: httpx.AsyncClient) -> bool:
    """The controllers work: one of them has made this."""
    return (await api.get("/api/v1/namespaces/default/serviceaccounts/default")).status_code == 200


async def _envoy_serves(client: httpx.AsyncClient, ingress_url: str) -> bool:
    return (await client.get(ingress_url, headers={"Host": objects.STANDING_HOST})).status_code == 200


async def _envoy_is_seen(client: httpx.AsyncClient, prometheus: str) -> bool:
    answer = await client.get(f"{prometheus}/api/v1/query", params={"query": 'up{job="envoy"} == 1'})
    return answer.status_code == 200 and bool(answer.json()["data"]["result"])

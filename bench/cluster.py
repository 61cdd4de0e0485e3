"""A cluster of the bench's own, with a user's service on it and the rights of a release; nothing outlives the bench.

The process moves into the cluster's network namespace: whoever measures is inside.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from flows.deploy import deploy
from serinus.errors import Unavailable
from serinus.local import prefect_server
from serinus.local.child import Register, start, tail, tied
from serinus.local.cluster import namespace, telemetry
from serinus.local.cluster.cluster import Cluster, read
from serinus.local.cluster.programs import CONTOUR, KUBERNETES, build
from serinus.local.programs import Say, obtain

MANIFESTS = Path(__file__).parents[1] / "deployments" / "kubernetes"
ACCOUNT = "serinus"
NAMESPACE, SERVICE, HOST = "bench", "shop", "shop.example"
STABLE, REPLICAS = "v1.0", 2
"""Without errors of its own."""
PREFECT_PORT, PROMETHEUS_PORT = 4200, 9091
READY_SECONDS, STOP_SECONDS, KUBECTL_SECONDS, POLL_SECONDS = 120.0, 20.0, 30.0, 0.1
TOKEN_LASTS = "4h"


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a release can be made.

    Args:
        kubeconfig: of the service account that `deployments/kubernetes` makes
        prometheus: scrapes at the interval asked for
        prefect: the API of a server that the flows are deployed to
    """

    cluster: Cluster
    kubeconfig: Path
    prometheus: str
    prefect: str


def enter(say: Say) -> None:
    """Into a network namespace, once everything that is fetched or built is there.

    Raises:
        Refused, Unavailable: the text says why not
    """
    build((KUBERNETES, CONTOUR), say)
    for name in ("prometheus", "hey"):
        obtain(name)
    if not namespace.mighty():
        os.execvp("unshare", namespace.privileged([sys.executable, *sys.orig_argv[1:]]))
    namespace.enter()


@asynccontextmanager
async def ground(folder: Path, scrape_seconds: float) -> AsyncIterator[Ground]:
    """A cluster, Prometheus and Prefect; ended with the block."""
    home = folder / "cluster"
    register = Register(folder / "processes.json")
    async with _cluster(home) as cluster:
        scraping = telemetry.prometheus(
            home, scrape_seconds=scrape_seconds, port=PROMETHEUS_PORT, name=f"prometheus-{scrape_seconds:g}s"
        )
        prefect_server.place_database(folder / "prefect", lambda text: None)
        serving = prefect_server.command(folder / "prefect", PREFECT_PORT, folder / "prefect.log")
        children = [await start(command, register) for command in (scraping, serving)]
        try:
            api = f"http://127.0.0.1:{PREFECT_PORT}/api"
            async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(READY_SECONDS):
                while not await prefect_server.answers(http, api):  # noqa: ASYNC110 (a server tells nobody that it answers)
                    await asyncio.sleep(POLL_SECONDS)
            await deploy(api)
            kubeconfig = await _service(cluster, folder)
            yield Ground(cluster, kubeconfig, f"http://127.0.0.1:{PROMETHEUS_PORT}", api)
        finally:
            for child in reversed(children):
                await child.stop(STOP_SECONDS)


@asynccontextmanager
async def _cluster(home: Path) -> AsyncIterator[Cluster]:
    words = (sys.executable, "-m", "serinus.local.cluster", "up", "--inside", "--folder", str(home))
    home.mkdir(parents=True)  # noqa: ASYNC240 (one folder, at the start)
    log = home / "up.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(*tied(words), stdout=file, stderr=file, start_new_session=True)
    try:
        async with asyncio.timeout(READY_SECONDS):
            while (found := read(home)) is None:
                if process.returncode is not None:
                    raise Unavailable(f"the cluster did not start: {tail(log)}")
                await asyncio.sleep(POLL_SECONDS)
        yield found
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _service(cluster: Cluster, folder: Path) -> Path:
    """The service and the rights, made as `docs/kubernetes.md` tells. Returns the account's kubeconfig."""
    await kubectl(cluster, "create", "namespace", NAMESPACE)
    manifests = folder / "kubernetes"
    shutil.copytree(MANIFESTS, manifests)
    file = manifests / "contour" / "kustomization.yaml"
    file.write_text(file.read_text().replace("namespace: default", f"namespace: {NAMESPACE}"))
    await kubectl(cluster, "apply", "-k", str(file.parent))
    made = {"apiVersion": "v1", "kind": "List", "items": _objects()}
    await kubectl(cluster, "create", "-f", "-", given=json.dumps(made))
    await kubectl(cluster, "rollout", "status", f"deployment/{SERVICE}", f"--timeout={KUBECTL_SECONDS - 1:.0f}s")
    token = await kubectl(cluster, "create", "token", ACCOUNT, f"--duration={TOKEN_LASTS}")
    whole = json.loads(await kubectl(cluster, "config", "view", "--raw", "-o=json"))
    place = {"cluster": whole["clusters"][0]["name"], "user": ACCOUNT, "namespace": NAMESPACE}
    theirs = {
        "users": [{"name": ACCOUNT, "user": {"token": token.strip()}}],
        "contexts": [{"name": ACCOUNT, "context": place}],
        "current-context": ACCOUNT,
    }
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps(whole | theirs))
    kubeconfig.chmod(0o600)
    return kubeconfig


def _objects() -> list[Mapping[str, Any]]:
    """What a user has; nothing in it was made for releases."""
    labels = {"app": SERVICE}
    container = {
        "name": SERVICE,
        "image": f"registry.example/{SERVICE}:{STABLE}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
    }
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployed = {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": pod}
    served = {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    routed = {"virtualhost": {"fqdn": HOST}, "routes": [{"services": [{"name": SERVICE, "port": 80}]}]}
    return [
        {"apiVersion": version, "kind": kind, "metadata": {"name": SERVICE}, "spec": spec}
        for version, kind, spec in (
            ("apps/v1", "Deployment", deployed),
            ("v1", "Service", served),
            ("projectcontour.io/v1", "HTTPProxy", routed),
        )
    ]


async def kubectl(cluster: Cluster, *words: str, given: str | None = None) -> str:
    """What it prints, with every right, in the service's namespace.

    Raises:
        Unavailable: it failed; its own words say why
    """
    process = await asyncio.create_subprocess_exec(
        *(str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}", f"--namespace={NAMESPACE}", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate((given or "").encode()), KUBECTL_SECONDS)
    if process.returncode:
        raise Unavailable(f"`kubectl {words[0]}` failed: {err.decode().strip()[-600:]}")
    return out.decode()

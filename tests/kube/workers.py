"""Prefect beside a cluster: a server, a worker that has nothing but a kubeconfig, and CI that has not even that."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus.cli.in_namespace import InNamespace
from serinus.local.cluster.cluster import FOREIGN, Cluster
from serinus.local.cluster.node.images import COMMANDS, retag
from tests.cluster.access import Access
from tests.flows.platform import process, said
from tests.flows.serving import PrefectServer
from tests.flows.test_workflow import Job
from tests.kube.ground import Shop, a_shop

BINARIES = Path(sys.executable).parent
PATH = f"{BINARIES}:{os.environ['PATH']}"
IMAGE = "registry.example/serinus:0.1.0"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
OVER = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def only(**more: str) -> dict[str, str]:
    """An environment of nothing but programs and these."""
    return {"PATH": PATH, "LANG": "C.UTF-8", "NO_COLOR": "1", "DO_NOT_TRACK": "1", **more}


@dataclass(frozen=True)
class Site:
    """A Prefect server whose releases a worker runs.

    Args:
        folder: holds `kubeconfig`, which the worker uses: whose it is says each test
    """

    server: PrefectServer
    folder: Path

    @asynccontextmanager
    async def shop(self, space: Access, folder: Path) -> AsyncIterator[Shop]:
        """A Deployment behind Contour; the worker has the rights in its namespace that the manifests give."""
        async with a_shop(space, folder / "shop") as shop:
            shutil.copy(shop.account.kubeconfig, self.folder / "kubeconfig")
            yield shop

    def ci(self, folder: Path, policy: dict[str, Any], **inputs: str) -> Job:
        """One job of `.github/workflows/release.yml`."""
        job = Job(folder, self.server.api, POLICY="policy.yaml", **inputs)
        (folder / "policy.yaml").write_text(json.dumps(policy))
        return job

    def begin(self, deployment: str, key: str = "", **parameters: Any) -> dict[str, Any]:
        """A run, created over HTTP."""
        found = self.server.get(f"/deployments/name/{deployment}")["id"]
        body = {"parameters": parameters} | ({"idempotency_key": key} if key else {})
        return dict(self.server.post(f"/deployments/{found}/create_flow_run", body))

    async def ended(self, run: str, seconds: float = 120.0) -> dict[str, Any]:
        """The run, once it has ended."""

        async def look() -> dict[str, Any]:
            return await asyncio.to_thread(self.server.run, run)

        async with asyncio.timeout(seconds):
            while (found := await look())["state_type"] not in OVER:
                await asyncio.sleep(0.2)
        return found


@contextmanager
def a_worker(server: PrefectServer, folder: Path, *words: str, **more: str) -> Iterator[Site]:
    """One that is online, with `folder/kubeconfig` in its environment."""
    environment = only(
        HOME=str(folder),
        KUBECONFIG=str(folder / "kubeconfig"),
        PREFECT_API_URL=server.api,
        PREFECT_HOME=str(folder / "home"),
        PREFECT_WORKER_QUERY_SECONDS="1",  # ten by default: a test need not wait for it
        **more,
    )
    log = folder / "worker.log"
    with process(words, environment, log) as worker:
        said(log, "Worker", worker, 90.0)
        yield Site(server, folder)


def engines(run: str) -> list[int]:
    """The processes of a flow run, by what Prefect says in their environment."""
    wanted, found = f"PREFECT__FLOW_RUN_ID={run}".encode(), list[int]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:  # it has ended, or is another user's
            continue
    return found


async def releases(shop: Shop) -> list[str]:
    """Every release that has evidence in the namespace."""
    return sorted(log.release for log in await InNamespace(shop.kube).logs())


def runs_commands(cluster: Cluster) -> bool:
    """The image of the manifests is there: a pod of it runs what its manifest says, from this very environment; False elsewhere."""
    if os.environ.get(FOREIGN):
        return False
    retag(cluster.folder / "node" / "images.json", IMAGE, COMMANDS)
    return True


def with_account(pod: dict[str, Any]) -> None:
    """The pod's spec as an API server's own admission makes it: the account's token and authority are mounted, which is off here."""
    token: dict[str, Any] = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}
    authority = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    named = {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}
    pod["volumes"].append({"name": "account", "projected": {"sources": [token, authority, named]}})
    for container in pod["containers"]:
        container["volumeMounts"].append({"name": "account", "mountPath": ACCOUNT, "readOnly": True})


def environment_of_pods(space: Access) -> None:
    """What the image's own PATH says, by the Secret that the manifests take variables from."""
    space.kubectl("create", "secret", "generic", "serinus-environment", f"--from-literal=PATH={PATH}")

"""Releases as Jobs of Prefect's own worker: pool, deployments and template as `deployments/kubernetes/README.md` tells."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from flows.deploy import HERE
from serinus.local.cluster.cluster import Cluster
from serinus.release.record import State
from tests.cluster.access import Access
from tests.faults.ground import until
from tests.flows.serving import PrefectServer, serving
from tests.kube.ground import BEFORE, HEALTHY, LONG, SHORT, Shop, a_shop
from tests.kube.test_mid_release import evict
from tests.kube.workers import (
    BINARIES,
    Site,
    a_worker,
    environment_of_pods,
    only,
    releases,
    runs_commands,
    with_account,
)
from tests.workloads.test_rights import MANIFESTS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
ACCOUNT = "prefect-worker"
RULES: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["events", "pods"], "verbs": ["get", "watch", "list"]},
    {"apiGroups": [""], "resources": ["pods/log", "pods/status"], "verbs": ["get", "watch", "list"]},
    {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    },
]
"""Those of Prefect's chart, which knows nothing of Deployments or routes."""


@pytest.fixture(scope="module")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    if not runs_commands(cluster):
        pytest.skip("the image of a release is not in a registry of yours")
    with serving(tmp_path_factory.mktemp("job") / "prefect") as running:
        yield running


def prefect(server: PrefectServer, folder: Path, *words: str) -> None:
    environment = only(HOME=str(folder), PREFECT_HOME=str(folder / "home"), PREFECT_API_URL=server.api)
    done = subprocess.run(
        [str(BINARIES / "prefect"), *words], cwd=HERE, env=environment, capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def described(server: PrefectServer, space: Access, folder: Path) -> None:
    """The README's commands, once the namespace is written into the template."""
    template = json.loads((MANIFESTS / "worker" / "base-job-template.json").read_text())
    template["variables"]["properties"]["namespace"]["default"] = space.namespace
    with_account(template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"])
    written = folder / "base-job-template.json"
    written.write_text(json.dumps(template))
    pool = ("serinus", "--type", "kubernetes", "--base-job-template", str(written))
    prefect(server, folder, "work-pool", "create", *pool)
    prefect(server, folder, "--no-prompt", "deploy", "--all")


@contextmanager
def working(server: PrefectServer, space: Access, folder: Path) -> Iterator[Site]:
    """Prefect's worker for Kubernetes, with the rights that its chart gives it."""
    metadata = {"name": ACCOUNT}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": metadata}
    space.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {**rbac, "kind": "Role", "rules": RULES},
        {**rbac, "kind": "RoleBinding", "roleRef": role, "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT}]},
    )
    space.as_account(ACCOUNT, folder).kubeconfig.rename(folder / "kubeconfig")
    words = (str(BINARIES / "prefect"), "worker", "start", "--pool", "serinus", "--type", "kubernetes")
    with a_worker(server, folder, *words, PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES=space.namespace) as site:
        yield site


def pod_of(space: Access, run: str) -> dict[str, Any]:
    found = json.loads(space.kubectl("get", "pods", f"-l=prefect.io/flow-run-id={run}", "-o=json"))["items"]
    assert len(found) == 1, [pod["metadata"]["name"] for pod in found]
    return dict(found[0])


async def test_a_release_is_a_job_and_an_evicted_one_returns_its_traffic(
    server: PrefectServer, space: Access, tmp_path: Path
) -> None:
    folder = tmp_path / "worker"
    folder.mkdir()
    async with a_shop(space, tmp_path / "shop") as shop:
        await asyncio.to_thread(described, server, space, folder)
        environment_of_pods(space)
        with working(server, space, folder) as site:
            async with shop.users() as users:
                await evicted(site, shop)
                await cancelled(site, shop)
                await promoted(site, shop)
            assert users.failed == 0, users.seen
            assert users.seen[f"200 {HEALTHY}"] > 0
            assert len(await releases(shop)) == 3


async def evicted(site: Site, shop: Shop) -> None:
    """A node is drained: the engine hears SIGTERM."""

    async def drained(run: str) -> None:
        pod = await asyncio.to_thread(pod_of, shop.space, run)
        await asyncio.to_thread(evict, shop.space, pod["metadata"]["name"])

    await given_back(site, shop, drained, 5)


async def cancelled(site: Site, shop: Shop) -> None:
    """In the UI: Prefect's worker takes the Job away."""

    async def asked(run: str) -> None:
        said = {"state": {"type": "CANCELLING"}}
        await asyncio.to_thread(site.server.post, f"/flow_runs/{run}/set_state", said)

    await given_back(site, shop, asked, 30)


async def given_back(site: Site, shop: Shop, end: Callable[[str], Awaitable[None]], seconds: float) -> None:
    """At 50 %, and the run is not begun anew."""
    run = site.begin("release/release", service="shop", version=HEALTHY, policy=shop.policy(**LONG))["id"]
    await first_move(shop, run)
    going = await shop.at_percent(50)
    await end(run)
    took = await shop.returned(seconds)
    record = await shop.over()
    assert (record.release, record.state) == (going.release, State.ROLLED_BACK)
    await shop.whole(BEFORE)
    ended = await site.ended(run)
    assert (ended["state_name"], ended["state_type"]) == ("RolledBack", "CANCELLED"), ended["state"]["message"]
    again = json.loads(await shop.hand("get", "pods", f"-l=prefect.io/flow-run-id={run}", "-o=json"))["items"]
    assert len(again) <= 1, "nobody began it anew"
    print(f"weight 0 {took:.1f} s after it was ended; {record.outcome}")


async def promoted(site: Site, shop: Shop) -> None:
    run = site.begin("release/release", service="shop", version=HEALTHY, policy=shop.policy(**SHORT))["id"]
    first = await first_move(shop, run)
    ended = await site.ended(run)
    assert ended["state_name"] == "Promoted", ended["state"]["message"]
    await shop.whole(HEALTHY)
    ends: list[dict[str, Any]] = []

    async def is_over() -> bool:
        [container] = (await asyncio.to_thread(pod_of, shop.space, run))["status"]["containerStatuses"]
        ends[:] = [container["state"].get("terminated") or {}]
        return bool(ends[0])

    await until(is_over, "its container has ended", 60)
    assert (ends[0]["exitCode"], ends[0]["reason"]) == (0, "Completed"), ends
    began = datetime.fromisoformat(ends[0]["startedAt"]).timestamp()
    print(f"its record was there {first - began:.1f} s after its container had started (to the second)")


async def first_move(shop: Shop, run: str) -> float:
    """When the record said that the release had begun."""
    async with asyncio.timeout(90):
        while True:
            record = await shop.record()
            if record is not None and record.run.endswith(run):
                return time.time()
            await asyncio.sleep(0.1)

"""Releases on a cluster that CI starts over Prefect's HTTP API, run by a worker that has nothing but the account's kubeconfig."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from serinus.local.cluster.cluster import Cluster
from serinus.release.record import State
from tests.cluster.access import Access
from tests.faults.ground import until
from tests.flows.serving import PrefectServer
from tests.kube.ground import BEFORE, HEALTHY, Shop
from tests.kube.workers import (
    Site,
    a_worker,
    engines,
    environment_of_pods,
    releases,
    runs_commands,
    with_account,
)
from tests.workloads.test_rights import MANIFESTS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
BAD = "v2-errors"
STAYS: dict[str, Any] = {
    "phases": [{"weight": "50%", "soak": "4m"}, {"weight": "100%", "soak": "2s"}],
    "bake": "2s",
    "limits": {"duration": "10m"},
}
"""At 50 % until somebody asks for an end."""
HALF: dict[str, Any] = {"phases": [{"weight": "50%", "soak": "20s"}, {"weight": "100%", "soak": "2s"}]}
GONE_SECONDS = 45.0
"""What `deployments/kubernetes/README.md` promises of a guard: 25 to 40 s; and what it takes to see it here."""


@pytest.fixture(scope="module")
def site(cluster: Cluster, prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The deployments of `prefect.yaml` and a worker started as `deployments/worker/README.md` says, with no state of its own."""
    folder = tmp_path_factory.mktemp("worker")
    start = str(shutil.copy(MANIFESTS.parent / "worker" / "start", folder / "start"))
    with a_worker(prefect_server, folder, start) as running:
        yield running


async def image(shop: Shop, deployment: str) -> str:
    spec = (await asyncio.to_thread(shop.space.get, "deployment", deployment))["spec"]
    return str(spec["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]


async def test_the_same_key_is_the_same_release_and_another_is_refused_meanwhile(
    site: Site, space: Access, tmp_path: Path
) -> None:
    async with site.shop(space, tmp_path) as shop, shop.users() as users:
        first, other = (
            site.ci(tmp_path / name, shop.policy(**STAYS), VERSION=version, KEY=f"{space.namespace}/{name}")
            for name, version in (("first", HEALTHY), ("other", BAD))
        )
        run = await asyncio.to_thread(first.started)
        assert await asyncio.to_thread(first.started) == run
        going = await shop.at_percent(50)
        assert going.key != ""
        await asyncio.to_thread(other.started)
        refused = await asyncio.to_thread(other.run, "Follow")
        assert refused.returncode == 1
        assert f"shop {BAD}: Refused" in refused.stdout
        assert f"{going.release} is going" in refused.stdout
        assert "Nothing was touched" in other.summary
        still = await shop.record()
        assert still is not None
        assert (still.release, still.ended, await image(shop, "shop-canary")) == (going.release, False, HEALTHY)
        site.begin("promotion/promotion", service="shop", why="seen enough")
        followed = await asyncio.to_thread(first.run, "Follow")
        assert followed.returncode == 0, followed.stdout + followed.stderr
        assert f"Promoted: {HEALTHY} serves everything" in followed.stdout
        await shop.whole(HEALTHY)
        assert await asyncio.to_thread(first.started) == run, "also when it is over"
        assert await releases(shop) == [going.release]
        ended = await shop.record()
        assert ended is not None
        assert site.server.run(run)["state_name"] == "Promoted"
        assert ended.run.endswith(run)
        # Without a policy of it on the worker, both of them: the demo's of that name is of another platform.
        undone = site.begin("rollback/rollback", service="shop", why="it was only a test")
        undone = await site.ended(undone["id"])
        assert undone["state_name"] == "RolledBack", undone["state"]["message"]
        await shop.whole(BEFORE)
    assert users.failed == 0, users.seen
    assert users.seen[f"200 {HEALTHY}"] > 0


async def test_a_bad_version_is_taken_back_and_its_key_begins_nothing_anew(
    site: Site, space: Access, tmp_path: Path
) -> None:
    async with site.shop(space, tmp_path) as shop, shop.users() as users:
        job = site.ci(tmp_path / "job", shop.policy(**HALF), VERSION=BAD, KEY=space.namespace)
        run = await asyncio.to_thread(job.started)
        followed = await asyncio.to_thread(job.run, "Follow")
        assert followed.returncode == 1
        assert f"shop {BAD}: RolledBack: error_rate" in followed.stdout
        await shop.whole(BEFORE)
        failed = users.failed
        assert 0 < failed < 60, users.seen
        assert await asyncio.to_thread(job.started) == run
        record = await shop.record()
        assert record is not None
        assert await releases(shop) == [record.release]
        assert record.release in job.summary
        assert site.server.run(run)["state_name"] == "RolledBack"
    assert users.failed == failed, "none after the traffic was returned"


async def test_a_release_that_goes_is_taken_back_over_http_by_the_name_of_its_namespace(
    site: Site, space: Access, tmp_path: Path
) -> None:
    async with site.shop(space, tmp_path) as shop, shop.users() as users:
        given: dict[str, Any] = {"service": "shop", "version": HEALTHY, "policy": shop.policy(**STAYS)}
        run = site.begin("release/release", **given)
        await shop.at_percent(50)
        nobody = await site.ended(site.begin("rollback/rollback", service="nobody")["id"])
        assert nobody["state_name"] == "Refused"
        assert f"namespace {space.namespace} has no record of a release" in nobody["state"]["message"]
        asked = site.begin("rollback/rollback", service="shop", why="seen enough", namespace=space.namespace)
        ended = await site.ended(asked["id"])
        assert (ended["state_name"], "seen enough" in ended["state"]["message"]) == ("RolledBack", True)
        assert (await site.ended(run["id"]))["state_name"] == "RolledBack"
        await shop.whole(BEFORE)
    assert users.failed == 0, users.seen


async def test_the_guard_of_the_manifest_ends_what_a_killed_run_left(
    site: Site, cluster: Cluster, space: Access, tmp_path: Path
) -> None:
    if not runs_commands(cluster):
        pytest.skip("the image of the guard is not in a registry of yours")
    async with site.shop(space, tmp_path) as shop, shop.users() as users:
        await asyncio.to_thread(guarded, space, tmp_path)
        given: dict[str, Any] = {"service": "shop", "version": HEALTHY, "policy": shop.policy(**STAYS)}

        async def looks() -> bool:
            status = json.loads(await shop.hand("get", "deployment", "serinus-guard", "-o=json"))["status"]
            return bool(status.get("availableReplicas") == 2)

        await until(looks, "both guards are ready", 90)
        run = site.begin("release/release", key=space.namespace, **given)["id"]
        going = await shop.at_percent(50)
        killed = engines(run)
        assert killed
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        took = await shop.returned(GONE_SECONDS)
        record = await shop.over()
        await shop.whole(BEFORE)
        assert (record.release, record.state) == (going.release, State.ROLLED_BACK)
        assert record.outcome is not None
        assert "no beat for" in record.outcome.why
        assert took > 20, "a dead engine's traffic was returned by somebody else"
        assert (await site.ended(run))["state_type"] == "CRASHED"
        assert site.begin("release/release", key=space.namespace, **given)["id"] == run
        said = await told(shop)
        assert said.count(f"{going.release}: taken over, no beat for") == 1, said
    print(f"weight 0 {took:.1f} s after SIGKILL of {killed}: {said}")
    assert users.failed == 0, users.seen


async def told(shop: Shop) -> str:
    """By both guards, once one has told how the release ended: with its next look."""
    said: list[str] = []

    async def ended() -> bool:
        said[:] = [await shop.hand("logs", "-l=app.kubernetes.io/name=serinus-guard", "--tail=-1")]
        return ": ended, rolled back" in said[0]

    await until(ended, "a guard has told", 60)
    return said[0]


def guarded(space: Access, folder: Path) -> None:
    """`kubectl apply -k` of the folder with the namespace written into it."""
    copied = folder / "guard"
    shutil.copytree(MANIFESTS / "guard", copied)
    file = copied / "kustomization.yaml"
    file.write_text(file.read_text().replace("namespace: default", f"namespace: {space.namespace}"))
    deployment, *others = YAML(typ="safe").load_all(copied / "guard.yaml")
    with_account(deployment["spec"]["template"]["spec"])
    (copied / "guard.yaml").write_text("\n---\n".join(json.dumps(one) for one in (deployment, *others)))
    environment_of_pods(space)
    space.kubectl("apply", "-k", str(copied))

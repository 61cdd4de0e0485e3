"""Whole releases of a user's own Deployment, with the rights of `deployments/kubernetes`: record, route, workload and figures."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from serinus.errors import Fenced
from serinus.ground import There
from serinus.moves.acquire import acquire
from serinus.moves.engine import Engine, Timing
from serinus.moves.look import look_at_all
from serinus.moves.preflight import preflight
from serinus.moves.set_weight import set_weight
from serinus.moves.start import start
from serinus.release.lifecycle import Step
from serinus.release.record import State
from serinus.release.weight import NOTHING
from serinus.settings import Folders
from serinus.wiring import Run, open_ports, plan_of
from tests.cluster.access import Access
from tests.moves.driver import carry_out
from tests.routers.on_kubernetes import FORMS
from tests.workloads.on_kubernetes import CONTAINER, a_deployment, a_service
from tests.workloads.test_rights import granted

pytestmark = pytest.mark.cluster
QUICK = Timing(ready_seconds=60.0)
RATE = 60.0
STABLE = CONTAINER | {"image": "ghcr.io/acme/shop:v1.0", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}
"""Without errors of its own, of which v1 has .05 %; and a pod that is told to end answers until nobody has its address any more."""

ROUTED: dict[str, Any] = {
    "contour": {"contour": {"proxy": "front"}},
    "gateway-api": {"gateway-api": {"route": "front"}},
    "replicas": "replicas",
}


def policy(space: Access, router: str, prometheus: str) -> dict[str, Any]:
    return {
        "service": "shop",
        "workload": {"kubernetes": {"namespace": space.namespace}},
        "router": ROUTED[router],
        "telemetry": {"prometheus": {"url": prometheus}},
        "phases": [{"weight": weight, "soak": "3s"} for weight in ("10%", "50%", "100%")],
        "bake": "3s",
        "gates": {"error_rate": {"max": "2%", "abort_above": "10%"}},
        "checks": {"interval": "1s", "scrape": "1s", "window": "3s", "min_requests": 3, "burst": 1, "warm_up": "1s"},
        "limits": {"no_traffic": "20s", "metrics_down": "15s", "duration": "3m", "rollback": "10s"},
    }


@dataclass
class Users:
    """Who asks, and what became of it: answers by status, and by the version that gave them."""

    seen: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        return sum(count for what, count in self.seen.items() if not what.startswith("200"))

    async def ask(self, http: aiohttp.ClientSession, url: str, host: str) -> None:
        """One request. POST: it is never sent a second time by the client itself."""
        try:
            async with http.post(url, headers={"Host": host}) as answer:
                self.seen[f"{answer.status} {_version(await answer.read())}".strip()] += 1
        except (aiohttp.ClientError, OSError) as trouble:
            self.seen[type(trouble).__name__] += 1


def _version(answer: bytes) -> str:
    try:
        return str(json.loads(answer).get("version", ""))
    except ValueError:
        return ""


@asynccontextmanager
async def users(url: str, host: str, rate: float = RATE) -> AsyncIterator[Users]:
    """Steady requests, each on its own; the first of them has been answered.

    By aiohttp, which takes an eighth of what httpx does for each: dozens of services have users at a time.
    """
    found, asking = Users(), set[asyncio.Task[None]]()

    async def keep_asking(http: aiohttp.ClientSession) -> None:
        while True:
            one = asyncio.ensure_future(found.ask(http, url, host))
            asking.add(one)
            one.add_done_callback(asking.discard)
            await asyncio.sleep(1 / rate)

    timeout, connector = aiohttp.ClientTimeout(total=10), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http:
        async with asyncio.timeout(30):
            while not found.seen["200 v1.0"]:
                await found.ask(http, url, host)
                await asyncio.sleep(0.1)
        found.seen.clear()
        going = asyncio.ensure_future(keep_asking(http))
        try:
            yield found
        finally:
            going.cancel()
            await asyncio.gather(*asking, return_exceptions=True)


async def counted(prometheus: str, namespace: str) -> None:
    """Until Prometheus has counted a request there."""
    await holds(prometheus, f'envoy_cluster_upstream_rq_completed{{envoy_cluster_name="{namespace}_shop_80"}} > 0')


async def holds(prometheus: str, expression: str) -> None:
    """Until Prometheus answers something."""
    query = {"query": expression}
    async with httpx.AsyncClient(base_url=prometheus, trust_env=False, verify=False) as http, asyncio.timeout(30):
        while not (await http.get("/api/v1/query", params=query)).json()["data"]["result"]:
            await asyncio.sleep(0.1)


@asynccontextmanager
async def acquired(
    space: Access, router: str, version: str, folder: Path, **otherwise: Any
) -> AsyncIterator[tuple[Engine, str]]:
    """The record is ours, by the service account's rights; with the canary's template.

    Args:
        otherwise: keys of the policy
    """
    account = space.as_account("serinus", folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("serinus.kube.connecting.KUBE_CONFIG_DEFAULT_LOCATION", str(account.kubeconfig))
        plan = plan_of("shop", version, policy(space, router, space.cluster.prometheus) | otherwise)
        folders = Folders.at(folder / "state")
        async with open_ports("shop", folders, plan) as ports:
            run = Run(plan, ports, folders, f"shop-{version}")
            facts = await preflight(ports, plan)
            owner = {"release": run.release, "owner": run.owner}
            yield await acquire(ports, plan, facts, **owner, timing=QUICK), facts.template


async def released(space: Access, router: str, version: str, folder: Path, **otherwise: Any) -> Engine:
    """From preflight to the record's end."""
    async with acquired(space, router, version, folder, **otherwise) as (engine, template):
        await carry_out(engine, template)
        assert (await engine.ports.router.read()).weight == NOTHING
        return engine


@pytest.mark.parametrize("router", ["contour", "gateway-api"])
@pytest.mark.parametrize(
    ("version", "ends", "runs"),
    [("v1.1", State.PROMOTED, "v1.1"), ("v2-errors", State.ROLLED_BACK, "v1.0")],
)
async def test_a_release_of_a_deployment(
    router: str, version: str, ends: State, runs: str, space: Access, tmp_path: Path
) -> None:
    host, url = f"{space.namespace}.example", getattr(space.cluster, "ingress" if router == "contour" else "gateway")
    granted(space, tmp_path, router)
    space.apply(a_deployment(containers=[STABLE]), a_service(), a_service("files"), FORMS[router].object(host))
    before = space.get(FORMS[router].kind, "front")["spec"]
    async with users(url, host) as asked:
        await counted(space.cluster.prometheus, space.namespace)
        engine = await released(space, router, version, tmp_path)
    record = engine.record
    assert record.state is ends, record.outcome
    assert space.get(FORMS[router].kind, "front")["spec"] == before
    deployment = space.get("deployment", "shop")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":{runs}")
    assert leftovers(space) == []
    if ends is State.PROMOTED:
        assert asked.failed == 0, asked.seen
    else:
        assert 0 < asked.failed < 40, asked.seen


async def test_a_guard_of_the_namespace_ends_what_a_silent_engine_left(space: Access, tmp_path: Path) -> None:
    host, url = f"{space.namespace}.example", space.cluster.ingress
    granted(space, tmp_path)
    space.apply(a_deployment(containers=[STABLE]), a_service(), a_service("files"), FORMS["contour"].object(host))
    async with users(url, host) as asked:
        await counted(space.cluster.prometheus, space.namespace)
        async with acquired(space, "contour", "v1.1", tmp_path) as (engine, template):
            await start(engine, template)
            assert (await set_weight(engine, 1)).step is Step.ADVANCE
            there = There(Folders.at(tmp_path / "elsewhere"), space.namespace, timing=replace(QUICK, dead_seconds=2.0))
            assert await there.services() == {"shop"}
            async with there.guards() as guards:
                assert await look_at_all((await guards.current())[0]) == []
                await asyncio.sleep(there.timing.dead_seconds)
                said = await look_at_all((await guards.current())[0])
            assert "taken over, no beat for" in said[0]
            assert (await engine.ports.router.read()).mark is None
            with pytest.raises(Fenced):
                await engine.write(engine.record)
    assert asked.failed == 0
    assert asked.seen["200 v1.1"] > 0
    assert leftovers(space) == []


def leftovers(space: Access) -> list[str]:
    """What is left of a canary."""
    left = json.loads(space.kubectl("get", "deployments,services", "-o=json"))["items"]
    return [one["kind"] for one in left if one["metadata"]["name"] == "shop-canary"]

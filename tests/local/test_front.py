"""Envoy and a service's processes together: rollouts lose nothing, troubles show as a kubelet shows them."""

from __future__ import annotations

import asyncio
import os
import signal

import httpx
import pytest

from serinus.local.fault import Fault, faults_file, write_fault
from serinus.local.service import Service
from serinus.local.traffic import counts, load, sending
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING, Weight
from serinus.routers.envoy import EnvoyRouter
from serinus.settings import Folders
from tests.local.running import front, until

pytestmark = pytest.mark.real


async def shift(folders: Folders, admin: str, weight: Weight) -> None:
    """Give the canary a weight and see it taken up."""
    router = EnvoyRouter(folders, "shop", admin)
    seen = await router.read()
    mark = seen.mark or Mark("r-1", 1, 0, Mode.OPEN, NOTHING)
    written = await router.write(mark.then(Mode.OPEN, weight), seen)
    async with asyncio.timeout(5):
        while not await router.taken_up(written):
            await asyncio.sleep(0.02)
    await router.aclose()


async def test_rollouts_at_a_thousand_requests_a_second_lose_none(folders: Folders) -> None:
    async with front(folders, Service("shop", "v1", 3)) as here:
        async with sending(here.url, 1000) as sent:
            for version in ("v2", "v3", "v1"):
                here.stores.want("stable", version, 3)
                await here.stores.serve("stable", version, 3)
        users = sent.result()
        assert users.unanswered == {}
        assert set(users.by_status) <= {
            200,
            500,
        }  # 500 is the versions' own .05 %; whatever Envoy says by itself is 503 or 504
        assert users.failed / users.requests < 0.005
        assert users.requests > 1000


async def test_a_canary_without_instances_is_503_and_never_stable(folders: Folders) -> None:
    async with front(folders, Service("shop", "v1", 1)) as here:
        await shift(folders, here.admin, Weight.of(50))
        before = await counts(here.admin, "shop")
        users = await load(here.url, 100, 2)
        arms = {arm: served.since(before[arm]) for arm, served in (await counts(here.admin, "shop")).items()}
        assert users.requests == sum(served.completed for served in arms.values())
        assert arms["canary"].failed == arms["canary"].completed == users.by_status[503]
        assert 60 < arms["canary"].completed < 140


async def test_envoy_killed_comes_back_with_its_weights(folders: Folders) -> None:
    async with front(folders, Service("shop", "v1", 1)) as here:
        here.stores.want("canary", "v2", 1, release="r-1")
        await here.stores.serve("canary", "v2", 1)
        await shift(folders, here.admin, Weight.of(100))
        killed = here.envoy.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await until(lambda: here.envoy.pid not in (None, killed), "another Envoy")
        async with httpx.AsyncClient(trust_env=False, verify=False) as client, asyncio.timeout(10):
            while True:
                try:
                    answer = await client.get(here.url)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
        assert answer.headers["x-version"] == "v2"


async def test_a_crash_loop_is_seen_with_its_last_words_and_ends_with_the_next_template(folders: Folders) -> None:
    async with front(folders, Service("shop", "v1", 1)) as here:
        here.stores.want("canary", "v2-crash", 1)
        pod = await here.stores.trouble("canary", "CrashLoopBackOff")
        assert not pod.ready
        assert "cannot start" in pod.log
        assert pod.restarts >= 2
        here.stores.want("canary", "v2", 1)
        await here.stores.serve("canary", "v2", 1)


async def test_a_version_that_is_in_no_catalogue_is_an_image_that_cannot_be_pulled(folders: Folders) -> None:
    async with front(folders, Service("shop", "v1", 1)) as here:
        here.stores.want("canary", "v9", 1)
        pod = await here.stores.trouble("canary", "ErrImagePull")
        assert "no version 'v9'" in pod.log
        here.stores.want("canary", "v9", 0, removed=True)
        await until(lambda: not here.stores.pods("canary"), "it is gone")


async def test_a_leak_ends_out_of_memory(folders: Folders) -> None:
    async with front(folders, Service("shop", "v1", 1)) as here:
        here.stores.want("canary", "v2-leak", 1)
        await here.stores.serve("canary", "v2-leak", 1)
        await shift(folders, here.admin, Weight.of(100))
        await load(here.url, 100, 2)
        await here.stores.trouble("canary", "OOMKilled")


async def test_one_that_dies_later_is_started_again(folders: Folders) -> None:
    async with front(folders, Service("shop", "v1", 1)) as here:
        pid = here.stores.pods("stable")[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        pod = await here.stores.trouble("stable", "Error")
        assert "killed by signal 9" in pod.log
        await here.stores.serve("stable", "v1", 1)
        assert here.stores.pods("stable")[0].pid != pid


async def test_a_rollout_of_a_version_that_never_gets_ready_keeps_the_old_one(folders: Folders) -> None:
    async with front(folders, Service("shop", "v1", 2)) as here:
        here.stores.want("stable", "v2-unready", 2)
        await until(
            lambda: any(pod.version == "v2-unready" and pod.pid for pod in here.stores.pods("stable")), "it started"
        )
        users = await load(here.url, 100, 1)
        assert set(users.by_status) <= {200, 500}
        assert sum(pod.serving for pod in here.stores.pods("stable") if pod.version == "v1") == 2
        here.stores.want("stable", "v1", 2)
        await here.stores.serve("stable", "v1", 2)


async def test_a_dead_instance_leaves_the_endpoints(folders: Folders) -> None:
    async with front(folders, Service("shop", "v1", 1)) as here:
        write_fault(faults_file(folders.service("shop")), "stable", Fault(dead=True))
        await until(lambda: not here.stores.pods("stable")[0].ready, "it is not ready")
        write_fault(faults_file(folders.service("shop")), "stable", Fault())
        await here.stores.serve("stable", "v1", 1)


async def test_a_store_that_holds_something_else_is_said_once_and_changes_nothing(folders: Folders) -> None:
    said: list[str] = []
    async with front(folders, Service("shop", "v1", 1), said) as here:
        here.stores.want("stable", "v2", -3)
        await until(lambda: bool(said), "it is said")
        assert "replicas -3" in said[0]
        here.stores.want("stable", "v2", 1)
        await here.stores.serve("stable", "v2", 1)
        assert len(said) == 1

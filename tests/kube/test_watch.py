"""Are objects seen as they are without being asked for, and does a wait end where somebody else has written?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from serinus.kube.client import CONFIG_MAP, Kube, Selection
from serinus.kube.connecting import connect
from serinus.kube.names import record_name
from serinus.kube.patch import pointer, put
from serinus.kube.seen import Seen
from serinus.kube.wake import Watching
from serinus.kube.watch import Watch
from serinus.kube.wire import Call
from serinus.ledgers.kubernetes import KubernetesLedger
from serinus.release.record import Ask, Verb
from tests.cluster.access import Access
from tests.ledgers.test_contract import a_record

pytestmark = pytest.mark.cluster
SOON = 10.0


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON):
        while not await true():
            await asyncio.sleep(0.01)


async def opened(access: Access) -> tuple[Kube, list[str]]:
    """The cluster, and what it is asked, noted as it goes."""
    kube, asked = await connect(str(access.kubeconfig), namespace=access.namespace), list[str]()
    send = kube._wire._send

    async def noted(call: Call, timeout: aiohttp.ClientTimeout) -> Any:
        asked.append("WATCH" if ("watch", "true") in call.query else call.method)
        return await send(call, timeout)

    kube._wire._send = noted  # type: ignore[method-assign]
    return kube, asked


@pytest.fixture
async def spied(space: Access) -> AsyncIterator[tuple[Kube, list[str]]]:
    kube, asked = await opened(space)
    yield kube, asked
    await kube.aclose()


async def both_watch(asked: list[str]) -> bool:
    return asked.count("WATCH") == 2


def a_map(space: Access, value: str, name: str = "it") -> None:
    space.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"a": "b"}},
            "data": {"k": value},
        }
    )


async def test_what_is_looked_at_again_is_watched_and_asked_for_no_more(
    space: Access, spied: tuple[Kube, list[str]]
) -> None:
    kube, asked = spied
    seen = Seen(kube)
    assert await seen.find(CONFIG_MAP, "it") is None
    assert await seen.select(CONFIG_MAP, "a=b") == []
    assert asked == ["GET", "GET"]

    async def shown(value: str | None) -> bool:
        one, some = await seen.find(CONFIG_MAP, "it"), await seen.select(CONFIG_MAP, "a=b")
        return [found["data"]["k"] for found in (one, *some) if found] == ([value] * 2 if value else [])

    a_map(space, "1")
    await until(lambda: shown("1"))
    await until(lambda: both_watch(asked))
    before = len(asked)
    a_map(space, "2")
    await until(lambda: shown("2"))
    seen.wrote(CONFIG_MAP, await kube.patch(CONFIG_MAP, "it", [put(pointer("data", "k"), "3")]))
    assert (await seen.get(CONFIG_MAP, "it"))["data"]["k"] == "3"
    space.kubectl("delete", "configmap", "it")
    await until(lambda: shown(None))
    assert asked[before:] == ["PATCH"]
    await seen.aclose()


async def test_an_object_of_any_size_is_seen_when_it_changes(space: Access, spied: tuple[Kube, list[str]]) -> None:
    kube, _ = spied
    watch = Watch(kube, Selection(CONFIG_MAP, "it"))
    await alive(watch)
    body = {"metadata": {"name": "it"}, "data": {"k": "x" * 900_000}}
    written = await kube.create(CONFIG_MAP, body)

    async def shown() -> bool:
        return watch.alive and watch.find("it") == written

    await until(shown)
    written = await kube.patch(CONFIG_MAP, "it", [put(pointer("data", "k"), "y" * 900_000)])
    await until(shown)
    await watch.aclose()


async def alive(*watches: Watch) -> None:
    for watch in watches:
        watch.start()

    async def all_live() -> bool:
        return all(watch.alive for watch in watches)

    await until(all_live)


async def woken(wake: Watching, seconds: float) -> bool:
    began = time.monotonic()
    found = await wake.wait(seconds, 0.05)
    assert time.monotonic() - began < seconds + SOON
    return found


async def test_a_wait_ends_at_what_others_write_and_not_at_our_own(
    space: Access, spied: tuple[Kube, list[str]]
) -> None:
    kube, asked = spied
    ours, theirs = KubernetesLedger(kube, "shop"), KubernetesLedger(kube, "shop")
    kept = await ours.write(a_record(), None)
    name = record_name("shop")
    record = Watch(kube, Selection(CONFIG_MAP, name))
    wake = Watching((record, name, ours.wrote))
    await alive(record)
    await woken(wake, 0.01)
    before = len(asked)
    for beat in (2, 3, 4):
        kept = await ours.write(a_record(beat=beat), kept.version)
        assert not await woken(wake, 0.3)
    assert asked[before:] == ["PATCH"] * 3
    await theirs.ask(Ask("1", Verb.ABORT, "somebody", "enough"))
    assert await woken(wake, SOON)
    assert not await woken(wake, 0.1)
    space.kubectl("delete", "configmap", name)
    assert await woken(wake, SOON)
    await wake.aclose()


async def test_without_the_right_to_watch_every_tick_is_a_look(space: Access, tmp_path: Path) -> None:
    space.kubectl("create", "serviceaccount", "blind")
    space.kubectl("create", "role", "reads", "--verb=get,list", "--resource=configmaps")
    space.kubectl("create", "rolebinding", "blind", "--role=reads", f"--serviceaccount={space.namespace}:blind")
    a_map(space, "1")
    kube, asked = await opened(space.as_account("blind", tmp_path))
    seen, watch = Seen(kube), Watch(kube, Selection(CONFIG_MAP, "it"))
    wake = Watching((watch, "it", lambda found: True))
    for _ in range(5):
        assert await woken(wake, 60)
        assert await seen.find(CONFIG_MAP, "it") is not None
    assert asked.count("WATCH") <= 2
    await wake.aclose()
    await seen.aclose()
    await kube.aclose()

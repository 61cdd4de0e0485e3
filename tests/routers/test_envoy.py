"""Envoy's own ways: its file, its word, its absence, its refusals; and a disk without space."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from serinus.clock import SystemClock
from serinus.errors import Conflict, Refused, Unavailable
from serinus.moves.close import close_once
from serinus.ports import Route
from serinus.release.mark import Mode
from serinus.release.weight import NOTHING, WHOLE, Weight
from serinus.routers import envoy as envoy_router
from serinus.routers.envoy import EnvoyRouter, initial, render, version_text
from serinus.settings import Folders
from tests.conftest import fill
from tests.routers.running import RealEnvoy, an_envoy, until
from tests.routers.test_contract import a_mark


@pytest.fixture
async def router(folders: Folders) -> AsyncIterator[EnvoyRouter]:
    initial(folders, "shop")
    made = EnvoyRouter(folders, "shop", None)
    yield made
    await made.aclose()


@pytest.fixture
async def envoy(folders: Folders) -> AsyncIterator[RealEnvoy]:
    initial(folders, "shop")
    async with an_envoy(folders, "shop") as running:
        yield running


@pytest.fixture
async def served(folders: Folders, envoy: RealEnvoy) -> AsyncIterator[EnvoyRouter]:
    made = EnvoyRouter(folders, "shop", envoy.admin)
    yield made
    await made.aclose()


def projected(folders: Folders) -> Path:
    return folders.state / "envoy" / "rds" / "shop.yaml"


def rendered_weights(folders: Folders) -> tuple[str, dict[str, int]]:
    file = json.loads(projected(folders).read_text())
    action = file["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]
    assert "retry_policy" not in action
    return file["version_info"], {one["name"]: one["weight"] for one in action["weighted_clusters"]["clusters"]}


@pytest.mark.parametrize("points", [0, 1, 500, 9_999, WHOLE])
def test_weights_add_up(points: int) -> None:
    file = json.loads(render("shop", Route(Weight(points), None, "7")))
    clusters = file["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]["weighted_clusters"]["clusters"]
    assert [one["weight"] for one in clusters] == [WHOLE - points, points]


def test_the_version_names_the_write() -> None:
    assert version_text(Route(NOTHING, None, "1")) == "unmarked@1"
    assert version_text(Route(NOTHING, a_mark(5, token=3, seq=7), "12")) == "r-1:3:7:open@12"


async def test_the_beginning_is_made_once(folders: Folders, router: EnvoyRouter) -> None:
    written = await router.write(a_mark(5), await router.read())
    initial(folders, "shop")
    assert await router.read() == written
    assert rendered_weights(folders) == ("r-1:1:1:open@2", {"shop-stable": 9500, "shop-canary": 500})


async def test_a_service_without_a_route_is_refused(folders: Folders) -> None:
    router = EnvoyRouter(folders, "shop", None)
    for call in (router.read(), router.rehearse_close(), router.project()):
        with pytest.raises(Refused, match="shop has no route"):
            await call
    await router.aclose()


@pytest.mark.parametrize(
    "content",
    [
        b"weights: 5",
        b"[]",
        b"[" * 100_000,
        b'{"stable": 1, "canary": 2, "mark": null, "original": ""}',
        b'{"stable": 9500, "canary": 500, "mark": {"release": "r"}, "original": ""}',
        b'{"stable": 9500, "canary": "500", "mark": null}',
    ],
)
async def test_what_is_no_route_is_passed_over_and_written_over(
    folders: Folders, router: EnvoyRouter, content: bytes
) -> None:
    """It serves nobody: Envoy goes by the one before, and whoever closes needs to be able to."""
    before = await router.write(a_mark(5), await router.read())
    (folders.service("shop") / "route" / "r000000000003").write_bytes(content)
    seen = await router.read()
    assert seen == replace(before, version="3")
    with pytest.raises(Conflict):
        await router.write(a_mark(10, seq=2), before)
    await close_once(router, SystemClock(), "r-1", "tried")
    closed = await router.read()
    assert (closed.version, closed.weight) == ("4", NOTHING)
    assert rendered_weights(folders)[1] == {"shop-stable": WHOLE, "shop-canary": 0}


async def test_a_store_without_any_route_is_refused(folders: Folders, router: EnvoyRouter) -> None:
    (folders.service("shop") / "route" / "r000000000001").write_bytes(b"{")
    with pytest.raises(Refused, match="route holds revisions and none that can be read"):
        await router.read()


@pytest.mark.parametrize("spoilt", [b"", b"version_info: [", b"gone"])
async def test_a_file_that_is_not_the_route_is_mended(folders: Folders, router: EnvoyRouter, spoilt: bytes) -> None:
    await router.write(a_mark(5), await router.read())
    right = projected(folders).read_bytes()
    projected(folders).unlink() if spoilt == b"gone" else projected(folders).write_bytes(spoilt)
    assert await router.project()
    assert projected(folders).read_bytes() == right
    assert not await router.project()


async def test_whoever_writes_last_stands_in_the_file(folders: Folders, router: EnvoyRouter) -> None:
    """Many writers and menders at once; none of them is told to look again."""
    stop = threading.Event()

    def write(token: int) -> None:
        projection = envoy_router._Projection(folders, "shop")
        for seq in range(25):
            try:
                projection.write(a_mark(seq, token=token, seq=seq), projection.read())
            except Conflict:
                continue

    def mend() -> None:
        while not stop.is_set():
            envoy_router._Projection(folders, "shop").mend()

    mender = threading.Thread(target=mend)
    mender.start()
    writers = [threading.Thread(target=write, args=(token,)) for token in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    mender.join()
    assert not await router.project()
    assert rendered_weights(folders)[0] == version_text(await router.read())


async def test_a_route_that_could_not_be_closed_is_found_beforehand(folders: Folders, router: EnvoyRouter) -> None:
    rds = projected(folders).parent
    rds.rename(rds.with_name("moved"))
    with pytest.raises(Refused, match="could not be closed"):
        await router.rehearse_close()


async def test_a_full_disk_lets_no_weight_rise_and_every_close_through(small_disk: Path) -> None:
    folders = Folders.at(small_disk)
    initial(folders, "shop")
    router = EnvoyRouter(folders, "shop", None)
    opened = await router.write(a_mark(5), await router.read())
    hog = fill(small_disk)
    with pytest.raises(Unavailable, match="free some space"):
        await router.write(a_mark(10, seq=2), opened)
    assert await router.read() == opened
    closed = await router.write(a_mark(0, Mode.CLOSED, seq=2), opened)
    assert await router.read() == closed
    assert rendered_weights(folders) == (version_text(closed), {"shop-stable": WHOLE, "shop-canary": 0})
    hog.unlink()
    restored = await router.restore(closed.original, closed)
    assert rendered_weights(folders)[0] == version_text(restored)
    await router.aclose()


async def test_where_nothing_can_be_laid_by_no_weight_is_given(small_disk: Path) -> None:
    folders = Folders.at(small_disk)
    initial(folders, "shop")
    router = EnvoyRouter(folders, "shop", None)
    before = await router.read()
    fill(small_disk)
    with pytest.raises(Unavailable, match="laid by"):
        await router.write(a_mark(5), before)
    assert await router.read() == before
    await router.aclose()


async def test_without_envoy_everything_but_its_word_works(folders: Folders, router: EnvoyRouter) -> None:
    absent = EnvoyRouter(folders, "shop", "http://127.0.0.1:1")
    await absent.rehearse_close()
    opened = await absent.write(a_mark(5), await absent.read())
    for asked in (absent, router):
        with pytest.raises(Unavailable):
            await asked.taken_up(opened)
    closed = await absent.write(a_mark(0, Mode.CLOSED, seq=2), opened)
    await absent.restore(closed.original, closed)
    await absent.aclose()


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\noops", b"HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n", None],
    ids=["closes", "no JSON", "503", "hangs"],
)
async def test_an_envoy_that_is_none_is_unavailable(
    folders: Folders, router: EnvoyRouter, answer: bytes | None
) -> None:
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await done.wait()
        writer.write(answer or b"")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    odd = EnvoyRouter(folders, "shop", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(Unavailable, match="gives no word"):
        await odd.taken_up(await odd.read())
    done.set()
    await odd.aclose()
    server.close()


@pytest.mark.real
async def test_a_route_configuration_that_envoy_does_not_know(folders: Folders, envoy: RealEnvoy) -> None:
    initial(folders, "other")
    other = EnvoyRouter(folders, "other", envoy.admin)
    with pytest.raises(Unavailable, match="knows no route configuration other"):
        await other.taken_up(await other.read())
    await other.aclose()


@pytest.mark.real
async def test_no_request_is_lost_by_weight_changes(served: EnvoyRouter, envoy: RealEnvoy) -> None:
    changing = asyncio.Event()

    async def requests() -> Counter[str]:
        answers: Counter[str] = Counter()
        while not changing.is_set():
            answers += await envoy.ask(20)
        return answers

    asking = asyncio.create_task(requests())
    route = await served.read()
    for seq in range(1, 41):
        route = await served.write(a_mark((seq * 37) % 100, seq=seq), route)
        await until(lambda route=route: served.taken_up(route), "the weight is taken up")  # type: ignore[misc]
    changing.set()
    answers = await asking
    assert set(answers) == {"stable", "canary"}


@pytest.mark.real
async def test_a_restarted_envoy_keeps_the_weight(served: EnvoyRouter, envoy: RealEnvoy) -> None:
    written = await served.write(a_mark(100), await served.read())
    await until(lambda: served.taken_up(written), "the weight is taken up")
    await envoy.kill()
    with pytest.raises(Unavailable):
        await served.taken_up(written)
    await envoy.start()
    await until(lambda: served.taken_up(written), "the weight is there again")
    assert await envoy.ask(50) == {"canary": 50}


@pytest.mark.real
async def test_what_was_closed_while_envoy_was_down_is_closed_when_it_is_back(
    served: EnvoyRouter, envoy: RealEnvoy
) -> None:
    written = await served.write(a_mark(100), await served.read())
    await until(lambda: served.taken_up(written), "the weight is taken up")
    await envoy.kill()
    closed = await served.write(a_mark(0, Mode.CLOSED, seq=2), written)
    await envoy.start()
    await until(lambda: served.taken_up(closed), "the close is taken up")
    assert await envoy.ask(50) == {"stable": 50}


@pytest.mark.real
async def test_a_file_broken_by_another_hand_serves_on_and_is_mended(
    served: EnvoyRouter, envoy: RealEnvoy, folders: Folders
) -> None:
    written = await served.write(a_mark(100), await served.read())
    await until(lambda: served.taken_up(written), "the weight is taken up")
    broken = projected(folders).with_name("broken")
    broken.write_text("version_info: [")
    broken.rename(projected(folders))
    assert await envoy.ask(20) == {"canary": 20}
    closed = await served.write(a_mark(0, Mode.CLOSED, seq=2), written)
    await until(lambda: served.taken_up(closed), "the close is taken up")
    assert not await served.project()
    assert await envoy.ask(20) == {"stable": 20}


@pytest.mark.real
@pytest.mark.parametrize(
    ("spoilt", "words"),
    [(lambda text: text.replace("500", "0"), "Sum of weights"), (lambda text: text[:-3], "failure")],
    ids=["rejected", "unreadable"],
)
async def test_what_envoy_rejects_is_refused_with_its_words(
    served: EnvoyRouter,
    envoy: RealEnvoy,
    monkeypatch: pytest.MonkeyPatch,
    spoilt: object,
    words: str,
) -> None:
    assert callable(spoilt)
    before = await served.write(a_mark(0), await served.read())
    await until(lambda: served.taken_up(before), "the route is taken up")
    right = envoy_router.render

    def wrong(service: str, route: Route) -> str:
        text = right(service, route)
        return str(spoilt(text.replace("9500", "0")))

    monkeypatch.setattr(envoy_router, "render", wrong)
    written = await served.write(a_mark(5, seq=2), before)

    async def never() -> bool:
        assert not await served.taken_up(written)
        return False

    with pytest.raises(Refused, match=words) as refusal:
        await until(never, "Envoy refuses")
    assert version_text(before) in str(refusal.value)
    monkeypatch.setattr(envoy_router, "render", right)
    closed = await served.write(replace(a_mark(0, Mode.CLOSED), seq=3), written)
    await until(lambda: served.taken_up(closed), "the close is taken up")
    assert await envoy.ask(20) == {"stable": 20}

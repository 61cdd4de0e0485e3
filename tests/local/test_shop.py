"""Each version behaves as the catalogue says; one process, asked over the network."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from serinus.local.addresses import LOOPBACK, Block, claim_block
from serinus.local.catalogue import CATALOGUE
from serinus.local.child import Child, Command, Register, start, tail
from serinus.local.fault import NONE, Fault, write_fault
from serinus.local.pod import memory_bytes

WITHOUT_ERRORS = "v1.0"
"""Of "v1" one answer in 2,000 is a 500."""
Open = Callable[..., Awaitable["Instance"]]


class Instance:
    def __init__(self, child: Child, client: httpx.AsyncClient, url: str, faults: Path) -> None:
        self.child, self.client, self.url, self.faults = child, client, url, faults

    async def get(self, path: str = "/") -> httpx.Response:
        return await self.client.get(self.url + path, timeout=5)

    async def statuses(self, count: int) -> list[int]:
        return [answer.status_code for answer in await asyncio.gather(*(self.get() for _ in range(count)))]

    async def refuses(self) -> bool:
        try:
            await self.get()
        except httpx.TransportError:
            return True
        return False


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.02)
    assert what


@pytest.fixture
def block() -> Block:
    return claim_block()


@pytest.fixture
async def opened(tmp_path: Path, block: Block) -> AsyncIterator[Open]:
    """Starts instances, once they answer; ends them all."""
    client = httpx.AsyncClient(trust_env=False, verify=False)
    async with AsyncExitStack() as stack:

        async def opening(version: str, log: Path = tmp_path / "log") -> Instance:
            port, faults = block.take(), tmp_path / "faults.json"
            given = ("--service", "shop", "--pod", "p-1", "--arm", "canary", "--version", version)
            words = (sys.executable, "-m", "serinus.local.shop", *given, "--port", str(port), "--faults", str(faults))
            child = await start(Command("shop", words, log), Register(tmp_path / "processes.json"))
            stack.push_async_callback(child.stop, 1.0)
            stack.push_async_callback(client.aclose)  # an instance waits for its clients to leave
            one = Instance(child, client, f"http://{LOOPBACK}:{port}", faults)

            async def up() -> bool:
                assert child.running, tail(log)
                try:
                    await one.get("/healthz")
                except httpx.TransportError:
                    return False
                return True

            await eventually(up, "it answers")
            return one

        yield opening
    block.release()


async def test_it_says_who_it_is(opened: Open) -> None:
    one = await opened("v1")
    answer = await one.get("/any/path?q=1")
    assert answer.json() == {"service": "shop", "version": "v1", "pod": "p-1"}
    assert (answer.headers["x-version"], answer.headers["x-pod"]) == ("v1", "p-1")


async def test_it_serves_where_its_log_finds_no_room(opened: Open) -> None:
    one = await opened(WITHOUT_ERRORS, Path("/dev/full"))
    one.faults.write_text("no fault")
    assert await one.statuses(20) == [200] * 20


async def test_it_counts_for_prometheus_and_neither_its_probe_nor_the_counting(opened: Open) -> None:
    one = await opened("v2-errors")
    statuses = await one.statuses(40)
    for _ in range(3):
        await one.get("/healthz")
        counted = (await one.get("/metrics")).text
    for status in (200, 500):
        assert f'http_requests_total{{method="GET",status="{status}"}} {statuses.count(status)}\n' in counted
    assert 'http_request_duration_seconds_bucket{le="+Inf"} 40\n' in counted


async def test_it_answers_on_each_of_its_ports(tmp_path: Path, block: Block) -> None:
    ports = (str(block.take()), str(block.take()))
    given = ("--service", "shop", "--pod", "p", "--arm", "canary", "--version", "v1", "--faults", "x", "--port", *ports)
    words = (sys.executable, "-m", "serinus.local.shop", *given)
    child = await start(Command("shop", words, tmp_path / "log"), Register(tmp_path / "p.json"))
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:

        async def both() -> bool:
            try:
                answers = [await client.get(f"http://{LOOPBACK}:{port}/healthz") for port in ports]
            except httpx.TransportError:
                return False
            return [answer.status_code for answer in answers] == [200, 200]

        await eventually(both, "both answer")
    await child.stop(1.0)


async def test_a_body_is_read_and_passed_over(opened: Open) -> None:
    one = await opened("v1")
    for _ in range(3):
        assert (await one.client.post(one.url, content=b"x" * 100_000)).status_code in (200, 500)


async def test_errors_come_at_their_rate(opened: Open) -> None:
    one = await opened("v2-errors")
    failed = (await one.statuses(600)).count(500)
    assert 110 < failed < 250  # binomial(600, .3): six standard deviations


async def test_a_fault_comes_and_goes_while_it_runs(opened: Open) -> None:
    one = await opened("v1")

    async def all_fail() -> bool:
        return set(await one.statuses(5)) == {500}

    async def all_well() -> bool:
        return set(await one.statuses(5)) == {200}

    write_fault(one.faults, "canary", Fault(error_rate=1.0))
    await eventually(all_fail, "every request fails")
    write_fault(one.faults, "canary", NONE)
    await eventually(all_well, "none fails")


async def test_the_other_arm_s_fault_is_not_ours(opened: Open) -> None:
    one = await opened(WITHOUT_ERRORS)
    write_fault(one.faults, "stable", Fault(error_rate=1.0))
    write_fault(one.faults, "canary", Fault(latency_seconds=0.05))

    async def slower() -> bool:
        return (await one.get()).elapsed.total_seconds() > 0.05

    await eventually(slower, "its own fault is seen")
    assert (await one.get()).status_code == 200


async def test_a_fault_that_cannot_be_read_changes_nothing(opened: Open, tmp_path: Path) -> None:
    one = await opened("v1")
    one.faults.write_text("{")

    async def said() -> bool:
        return "faults ignored" in tail(tmp_path / "log")

    await eventually(said, "it says so")
    assert set(await one.statuses(5)) <= {200, 500}


async def test_dead_on_demand_and_back(opened: Open) -> None:
    one = await opened("v1")
    write_fault(one.faults, "all", Fault(dead=True))
    await eventually(one.refuses, "it refuses")
    write_fault(one.faults, "all", NONE)

    async def back() -> bool:
        return not await one.refuses()

    await eventually(back, "it answers again")


async def test_a_dead_version_is_ready_until_its_first_request(opened: Open) -> None:
    one = await opened("v2-dead")
    assert (await one.get("/healthz")).status_code == 200
    assert await one.refuses()

    async def unready() -> bool:
        try:
            await one.get("/healthz")
        except httpx.TransportError:
            return True
        return False

    await eventually(unready, "it is not ready any more")
    assert one.child.running


async def test_a_hung_version_answers_nobody_and_is_ready(opened: Open) -> None:
    one = await opened("v2-hung")
    with pytest.raises(httpx.ReadTimeout):
        await one.client.get(one.url, timeout=0.3)
    assert (await one.get("/healthz")).status_code == 200


async def test_a_slow_version_has_a_tail(opened: Open) -> None:
    one = await opened("v2-slow")
    answers = await asyncio.gather(*(one.get() for _ in range(90)))
    slow = sum(answer.elapsed.total_seconds() > 0.5 for answer in answers)
    assert 0 < slow < 45


async def test_a_version_that_never_gets_ready(opened: Open) -> None:
    assert (await (await opened("v2-unready")).get("/healthz")).status_code == 503


async def test_a_leak_grows_with_its_requests(opened: Open) -> None:
    one = await opened("v2-leak")
    before = memory_bytes(one.child.identity.pid)
    await one.statuses(20)
    assert memory_bytes(one.child.identity.pid) - before > 15 << 20


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000, 431),
    ],
)
async def test_what_it_cannot_read_is_refused_and_the_connection_ended(
    opened: Open, request_bytes: bytes, status: int
) -> None:
    one = await opened("v1")
    reader, writer = await asyncio.open_connection(LOOPBACK, int(one.url.rpartition(":")[2]))
    writer.write(request_bytes)
    assert f" {status} ".encode() in await asyncio.wait_for(reader.read(), 5)
    writer.close()


async def test_told_to_go_it_answers_what_is_under_way(opened: Open) -> None:
    one = await opened("v1")
    write_fault(one.faults, "all", Fault(latency_seconds=0.5))

    async def slower() -> bool:
        return (await one.get()).elapsed.total_seconds() > 0.4

    await eventually(slower, "requests take a while")
    reader, writer = await asyncio.open_connection(LOOPBACK, int(one.url.rpartition(":")[2]))
    writer.write(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")
    await one.get("/healthz")  # answered after what was sent before it was read: that request is under way
    await one.client.aclose()
    assert await one.child.stop(5) == 0
    assert re.match(rb"HTTP/1\.1 (200|500) ", await asyncio.wait_for(reader.read(), 5))
    writer.close()


async def test_a_crash_says_why(tmp_path: Path, block: Block) -> None:
    given = ("--service", "shop", "--pod", "p", "--arm", "canary", "--version", "v2-crash", "--port", "1")
    words = (sys.executable, "-m", "serinus.local.shop", *given, "--faults", "x")
    child = await start(Command("shop", words, tmp_path / "log"), Register(tmp_path / "p.json"))
    assert await child.ended() == 1
    assert "cannot start" in tail(tmp_path / "log")


def test_every_version_of_the_demo_is_there() -> None:
    told = {"v1", "v2", "v2-errors", "v2-noisy", "v2-slow", "v2-dead", "v2-crash", "v2-late", "v2-leak"}
    assert told <= set(CATALOGUE)
    assert all(behaviour.about for behaviour in CATALOGUE.values())

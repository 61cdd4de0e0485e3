"""The whole platform as its users meet it: up, down, killed, twice beside itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from importlib import metadata

import httpx
import pytest

from serinus.local.platform import platform_file, read_platform
from serinus.local.traffic import counts, load
from serinus.settings import Folders
from tests.local.running import Running, Stores, launch, running, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


async def asked(url: str, **query: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=5) as client:
        return await client.get(url, params=query)


async def gone(platform: Running) -> None:
    children = platform.children
    await until(lambda: not any(child.alive for child in children), f"none of {children} is left")


async def test_up_serves_measures_and_records_and_down_leaves_nothing(folders: Folders) -> None:
    async with running(folders, "--service", "shop:v1:2", "--service", "till:v2:1") as one:
        platform = one.platform
        assert platform.services == ("shop", "till")
        before = await counts(platform.envoy_admin, "shop")
        users = await load(platform.traffic["shop"], 200, 2)
        assert users.unanswered == {}
        served = (await counts(platform.envoy_admin, "shop"))["stable"].since(before["stable"])
        assert (served.completed, served.failed) == (users.requests, users.failed)
        assert (await asked(platform.traffic["till"])).headers["x-version"] == "v2"
        seen = await asked(platform.prometheus + "/api/v1/query", query='up{job="envoy"}')
        assert [row["value"][1] for row in seen.json()["data"]["result"]] == ["1"]
        assert (await asked(platform.prefect_api + "/health")).json() is True
        assert (await asked(platform.prefect_api + "/admin/version")).json() == metadata.version("prefect")
        assert (await asked(platform.prefect_ui)).status_code == 200
        assert set(platform.children) == {"envoy", "prometheus", "prefect"}
        assert len(one.children) == 3 + 3
        await refused(folders, "already runs")
        await another_stands_beside(one, Folders.at(folders.state.parent / "other"))
        await what_dies_is_started_again_at_its_address(one)
        children = one.children
        assert await one.end() == 0
        assert not any(child.alive for child in children)
        assert read_platform(folders) is None
        assert not platform_file(folders).exists()


async def another_stands_beside(one: Running, other: Folders) -> None:
    """And its end is not the first one's."""
    async with running(other, "--service", "shop:v2:1") as two:
        assert (await asked(one.platform.traffic["shop"])).headers["x-version"] == "v1"
        assert (await asked(two.platform.traffic["shop"])).headers["x-version"] == "v2"
        await two.end()
        assert (await asked(one.platform.traffic["shop"])).headers["x-version"] == "v1"


async def what_dies_is_started_again_at_its_address(one: Running) -> None:
    platform = one.platform
    for name in ("prometheus", "prefect"):
        os.kill(platform.children[name], signal.SIGKILL)
    await until(lambda: one.platform.children.get("prefect") not in (None, platform.children["prefect"]), "both again")

    async def answer() -> None:
        await asked(platform.prometheus + "/-/ready")
        await asked(platform.prefect_api + "/health")

    async with asyncio.timeout(60):
        while True:
            try:
                await answer()
                break
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    assert "prometheus was killed by signal 9; it is started again" in one.said


async def refused(folders: Folders, why: str, *options: str) -> None:
    """A second supervisor says why it does not start; the first goes on."""
    log = folders.state / "supervisor.log"
    kept = log.read_bytes() if log.exists() else b""
    second = await launch(folders, "--service", "shop", *options)
    assert await asyncio.wait_for(second.process.wait(), 30) == 1
    said = second.said
    log.write_bytes(kept)
    assert why in said
    assert "Traceback" not in said


async def test_killed_it_leaves_no_process_and_the_next_one_takes_over_with_what_was_decided(folders: Folders) -> None:
    async with running(folders, "--service", "shop:v1:1") as first:
        Stores(folders).want("stable", "v3", 1)
        await Stores(folders).serve("stable", "v3", 1)
        first.process.send_signal(signal.SIGKILL)
        await first.process.wait()
        await gone(first)
        assert platform_file(folders).exists()
        assert read_platform(folders) is None
    async with running(folders, "--service", "shop:v1:1") as second:
        assert second.platform.pid != first.process.pid
        assert (await asked(second.platform.traffic["shop"])).headers["x-version"] == "v3"


async def test_leftovers_of_a_killed_supervisor_are_ended(folders: Folders) -> None:
    folders.state.mkdir(parents=True)
    left = await asyncio.create_subprocess_exec("sleep", "300")
    started = int(open(f"/proc/{left.pid}/stat").read().rsplit(")", 1)[1].split()[19])  # noqa: PTH123, SIM115
    boot = open("/proc/sys/kernel/random/boot_id").read().strip()  # noqa: PTH123, SIM115
    entry = {"pid": left.pid, "start_time": started, "boot_id": boot}
    stranger = {"pid": os.getpid(), "start_time": 1, "boot_id": boot}
    (folders.state / "processes.json").write_text(json.dumps([entry, stranger]))
    second = await launch(folders, "--service", "shop")
    assert await asyncio.wait_for(left.wait(), 20) == -signal.SIGKILL
    await second.end()
    assert "ending 1 processes" in second.said


async def test_a_demanded_port_that_is_taken_is_said_before_anything_starts(folders: Folders) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen(1)
        port = stranger.getsockname()[1]
        await refused(folders, f"port {port} for the Prefect server is taken", "--prefect-port", str(port))
        assert not platform_file(folders).exists()
    folders.state.joinpath("supervisor.log").unlink()


async def test_ctrl_c_while_it_comes_up_leaves_nothing(folders: Folders) -> None:
    one = await launch(folders, "--service", "shop")
    await until(lambda: len(one.children) >= 3, "its children are started")
    children = one.children
    assert await one.end(signal.SIGINT) == 0
    assert not any(child.alive for child in children)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--service", "Shop"), "no service's name"),
        (("--service", "shop:v9"), "no version 'v9'; there are v1"),
        (("--service", "shop:v1:many"), "is not name[:version[:replicas[:port]]]"),
        (("--service", "shop:v1:0"), "1 to 20"),
        (("--service", "shop", "--scrape", "0"), "not every 0 s"),
    ],
)
async def test_what_makes_no_sense_is_refused(folders: Folders, options: tuple[str, ...], why: str) -> None:
    one = await launch(folders, *options)
    assert await asyncio.wait_for(one.process.wait(), 20) != 0
    assert why in one.said
    assert "Traceback" not in one.said


async def test_the_same_name_twice_is_refused(folders: Folders) -> None:
    one = await launch(folders, "--service", "shop", "--service", "shop:v2")
    assert await asyncio.wait_for(one.process.wait(), 20) == 1
    assert "a name of its own" in one.said

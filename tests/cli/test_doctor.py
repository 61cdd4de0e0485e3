"""What doctor says of a Prefect server: its version, and whether the flows are deployed to it; and its last line."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from importlib.metadata import version

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings

from flows.start import DEPLOYING, OLDEST_SERVER
from serinus.cli.doctor import server, service_items, verdict, versions
from serinus.settings import Folders
from tests.release.builders import a_plan


@pytest.mark.parametrize("server", [version("prefect"), "3.999.0", "4.0.0", "4.0.0rc1", "4.0.0.dev3+g1a2b"])
def test_a_server_as_new_as_its_client_is_in_order(server: str) -> None:
    item = versions(server)
    assert (item.mark[0], item.found) == ("ok", version("prefect"))


def test_an_older_server_is_fine_as_far_back_as_its_history_is_whole() -> None:
    item = versions(OLDEST_SERVER)
    assert item.mark[0] == "ok"
    assert f"newer than its server: fine from {OLDEST_SERVER} on" in item.found


@pytest.mark.parametrize("server", ["3.6.13", "3.2.15", "3.1", "2.20.4", "3.6"])
def test_one_older_than_that_is_a_finding(server: str) -> None:
    item = versions(server)
    assert (item.mark[0], item.mend) == ("missing", f"upgrade the server to {OLDEST_SERVER} or newer")
    assert f"older than {OLDEST_SERVER}" in item.found


def test_what_is_only_noted_is_not_said_to_be_in_order() -> None:
    said = [verdict(*counted) for counted in ((0, 0), (0, 1), (2, 3))]
    assert said == ["Everything is in order.", "Nothing to mend; 1 note.", "2 to mend; 3 notes."]


@pytest.mark.parametrize("server", ["", "garbage", "{}", "x.y.z", "3"])
def test_a_version_that_cannot_be_read_is_a_finding(server: str) -> None:
    item = versions(server)
    assert item.mark[0] == "missing"
    assert "cannot be read" in item.found


@pytest.mark.parametrize(("code", "mend"), [(404, f"once: {DEPLOYING}"), (200, ""), (401, "")])
async def test_a_server_without_the_flows_is_told_with_what_deploys_them(
    code: int, mend: str, folders: Folders
) -> None:
    """One that demands a key: doctor has it from where the release has it."""
    key = b"authorization: Basic " + base64.b64encode(b"user:password")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        body = f'"{version("prefect")}"'.encode()
        status = code if asked.split()[1].endswith(b"/deployments/name/release/release") else 200
        status = status if key.lower() in asked.lower() else 401
        writer.write(b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        with temporary_settings({PREFECT_API_AUTH_STRING: "user:password"}):
            found = await server(f"http://127.0.0.1:{port}/api", folders)
    assert [item.mend for item in found if item.mend] == ([mend] if mend else [])


async def test_a_service_that_cannot_be_opened_is_told_beside_the_others(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = a_plan()
    target = replace(plan.target, notify=("${HOOK_OF_NOBODY}",), telemetry_options={"url": "http://127.0.0.1:1"})
    monkeypatch.setattr("serinus.wiring.plan_of", lambda *_: replace(plan, target=target))
    *_, last = await service_items("shop", folders)
    assert (last.what, last.mark[0]) == ("shop: platform", "missing")
    assert "HOOK_OF_NOBODY" in last.found

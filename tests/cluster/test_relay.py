"""Does what is said outside arrive inside, and the other way, and is silence an end?"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from serinus.local.cluster import relay
from serinus.local.cluster.cluster import Cluster


@pytest.fixture
def blank(tmp_path: Path) -> Cluster:
    """One whose every address is nobody's, until a test listens there."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps({"clusters": [{"cluster": {"server": "https://127.0.0.1:1"}}]}))
    nowhere, free = tmp_path / "nothing", "http://127.0.0.1:1"
    return Cluster(tmp_path, os.getpid(), "https://127.0.0.1:1", kubeconfig, free, free, free, nowhere, nowhere)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says everything again, once all of it has been said."""
    writer.write(await reader.read())
    writer.write_eof()
    writer.close()


async def say(url: str, text: bytes) -> bytes:
    address = urlsplit(url)
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(text)
        writer.write_eof()
        heard = await reader.read()
        writer.close()
        return heard


async def test_everything_passes_both_ways_and_the_end_too(blank: Cluster) -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reached = replace(blank, ingress=f"http://127.0.0.1:{port}")
        async with relay.inside(reached), relay.outside(reached) as urls:
            text = os.urandom(1 << 20)
            assert await say(urls["ingress"], text) == text


async def test_where_nobody_listens_inside_the_connection_ends_without_a_word(blank: Cluster) -> None:
    async with relay.inside(blank), relay.outside(blank) as urls:
        assert await say(urls["prometheus"], b"") == b""


async def test_whoever_is_still_connected_does_not_keep_it_open(blank: Cluster) -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        reached = replace(blank, ingress=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with asyncio.timeout(20), relay.inside(reached), relay.outside(reached) as urls:
            address = urlsplit(urls["ingress"])
            _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.close()


async def test_the_kubeconfig_for_outside_names_the_port_that_leads_in(blank: Cluster) -> None:
    async with relay.inside(blank), relay.outside(blank) as urls:
        file = blank.folder / relay.KUBECONFIG
        assert json.loads(file.read_text())["clusters"][0]["cluster"]["server"] == urls["api"]
        assert urls["api"].startswith("https://127.0.0.1:")
        assert file.stat().st_mode & 0o077 == 0

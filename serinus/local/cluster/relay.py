"""How is a cluster reached from outside its network namespace? Over Unix sockets: they are files, and pass its wall.

Inside, each address gets a socket; outside, a port of 127.0.0.1 leads to it. What is said over it is not looked at.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from serinus.local.cluster.cluster import Cluster
from serinus.within import within

CHUNK = 65_536
CONNECT_SECONDS = 10.0
FOLDER = "relay"
KUBECONFIG = "outside.kubeconfig"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def addresses(cluster: Cluster) -> Mapping[str, tuple[str, int]]:
    """What there is to reach, by name."""
    found = {}
    for name in ("api", "ingress", "gateway", "prometheus"):
        url = urlsplit(getattr(cluster, name))
        assert url.hostname is not None, f"{name} of a cluster is an address"
        found[name] = (url.hostname, url.port or 80)
    return found


@asynccontextmanager
async def inside(cluster: Cluster) -> AsyncIterator[None]:
    """Sockets for the outside, as long as this lasts."""
    folder = cluster.folder / FOLDER
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    with ExitStack() as stack:
        for name, (host, port) in addresses(cluster).items():
            socket = folder / name
            socket.unlink(missing_ok=True)
            server = await asyncio.start_unix_server(_to_address(host, port), socket)
            # Not `async with`: from Python 3.12 on that would wait for whoever is still connected.
            stack.callback(server.close)
        yield


@asynccontextmanager
async def outside(cluster: Cluster, ports: Mapping[str, int] = MappingProxyType({})) -> AsyncIterator[dict[str, str]]:
    """Ports of 127.0.0.1 that lead in, by name as URLs; the kubeconfig for them lies in the cluster's folder.

    Args:
        ports: those of a name; one that is not among them gets any free one
    """
    urls = {}
    with ExitStack() as stack:
        for name, (socket, scheme) in _reached(cluster).items():
            server = await asyncio.start_server(_to_socket(socket), "127.0.0.1", ports.get(name, 0))
            stack.callback(server.close)
            urls[name] = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        write_kubeconfig(cluster, urls["api"])
        yield urls


def _reached(cluster: Cluster) -> Mapping[str, tuple[Path, str]]:
    """Sockets and schemes; Envoy's admin interface is a socket already."""
    through = {name: cluster.folder / FOLDER / name for name in addresses(cluster)}
    found = {name: (socket, urlsplit(getattr(cluster, name)).scheme) for name, socket in through.items()}
    return found | {"envoy_admin": (cluster.envoy_admin, "http")}


def write_kubeconfig(cluster: Cluster, server: str) -> Path:
    """The cluster's own, with the server where it is reached from outside."""
    whole = json.loads(cluster.kubeconfig.read_text())
    whole["clusters"][0]["cluster"]["server"] = server
    file = cluster.folder / KUBECONFIG
    file.touch(mode=0o600)
    file.write_text(json.dumps(whole, indent=1))
    return file


def _to_address(host: str, port: int) -> Handler:
    return _joined(lambda: asyncio.open_connection(host, port))


def _to_socket(socket: Path) -> Handler:
    return _joined(lambda: asyncio.open_unix_connection(socket))


def _joined(connect: Callable[[], Awaitable[Streams]]) -> Handler:
    """Whoever connects is joined with what this connects to; where that cannot be, the connection ends."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with within(CONNECT_SECONDS):
                onward_reader, onward_writer = await connect()
        except (OSError, TimeoutError):
            writer.transport.abort()
            return
        try:
            await asyncio.gather(_copy(reader, onward_writer), _copy(onward_reader, writer))
        finally:
            for end in (writer, onward_writer):
                end.close()

    return handle


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()

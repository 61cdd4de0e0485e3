"""A real Envoy with one service, and two upstreams that say who they are."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from serinus.settings import Folders

PATIENCE_SECONDS = 20.0


async def until(met: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a condition."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await met():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what} within {PATIENCE_SECONDS:g} s") from None


class RealEnvoy:
    """Envoy as the local platform runs it: RDS from the state folder, its log where the router looks for its words."""

    def __init__(self, folders: Folders, service: str, upstreams: dict[str, int]) -> None:
        self._folders = folders
        self._service = service
        self._upstreams = upstreams
        self._process: asyncio.subprocess.Process | None = None
        self._admin_port = 0
        self._port = 0
        self.http = httpx.AsyncClient(timeout=5, trust_env=False, verify=False)

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self._admin_port}"

    async def start(self) -> None:
        folder, logs = self._folders.state / "envoy", self._folders.state / "logs"
        logs.mkdir(exist_ok=True)
        address, bootstrap = folder / "admin-address", folder / "bootstrap.yaml"
        address.unlink(missing_ok=True)
        bootstrap.write_text(json.dumps(self._bootstrap()))
        command = [str(Path(sys.executable).parent / "envoy"), "-c", str(bootstrap), "--concurrency", "1"]
        command += ["--disable-hot-restart", "-l", "warning", "--admin-address-path", str(address)]
        with (logs / "envoy.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)

        async def ready() -> bool:
            assert self._process is not None
            assert self._process.returncode is None, (logs / "envoy.log").read_text()
            if not address.exists() or not (word := address.read_text()):
                return False
            self._admin_port = int(word.rpartition(":")[2])
            try:
                answer = await self.http.get(f"{self.admin}/listeners", params={"format": "json"})
                self._port = answer.json()["listener_statuses"][0]["local_address"]["socket_address"]["port_value"]
                return (await self.http.get(f"{self.admin}/ready")).status_code == 200
            except (httpx.TransportError, LookupError, ValueError):
                return False

        await until(ready, "Envoy is ready")

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await asyncio.wait_for(self._process.wait(), PATIENCE_SECONDS)
            self._process = None

    async def ask(self, times: int) -> Counter[str]:
        """Who answered."""
        seen: Counter[str] = Counter()
        for _ in range(times):
            answer = await self.http.get(f"http://127.0.0.1:{self._port}/")
            seen[answer.text if answer.status_code == 200 else str(answer.status_code)] += 1
        return seen

    async def stop(self) -> None:
        await self.kill()
        await self.http.aclose()

    def _bootstrap(self) -> dict[str, object]:
        types = "type.googleapis.com/envoy.extensions.filters"
        rds = self._folders.state / "envoy" / "rds"
        source = {"path": str(rds / f"{self._service}.yaml"), "watched_directory": {"path": str(rds)}}
        manager = {
            "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "front",
            "rds": {
                "route_config_name": self._service,
                "config_source": {"resource_api_version": "V3", "path_config_source": source},
            },
            "http_filters": [
                {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}}
            ],
        }
        chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        return {
            "node": {"id": "test", "cluster": "test"},
            "admin": {"address": _socket(self._admin_port)},
            "static_resources": {
                "listeners": [{"name": self._service, "address": _socket(self._port), "filter_chains": [chain]}],
                "clusters": [_cluster(f"{self._service}-{arm}", port) for arm, port in self._upstreams.items()],
            },
        }


def _socket(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int) -> dict[str, object]:
    endpoint = {"lb_endpoints": [{"endpoint": {"address": _socket(port)}}]}
    return {
        "name": name,
        "connect_timeout": "0.5s",
        "load_assignment": {"cluster_name": name, "endpoints": [endpoint]},
    }


@asynccontextmanager
async def an_envoy(folders: Folders, service: str) -> AsyncIterator[RealEnvoy]:
    servers = [await asyncio.start_server(answering(arm), "127.0.0.1", 0) for arm in ("stable", "canary")]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    envoy = RealEnvoy(folders, service, dict(zip(("stable", "canary"), ports, strict=True)))
    try:
        await envoy.start()
        yield envoy
    finally:
        await envoy.stop()
        for server in servers:
            server.close()


def answering(who: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A server that says its name."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(who), who.encode()))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return serve

"""Envoy as this platform's front: its bootstrap, its endpoint files, what its admin interface says.

Weights are not here: they are `serinus.routers.envoy`'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serinus.errors import Unavailable
from serinus.local.addresses import LOOPBACK
from serinus.local.child import Command
from serinus.local.programs import envoy
from serinus.stores.pods import ARMS

ADMIN_SECONDS = 1.0
EDGES_MS = (
    1,
    2,
    5,
    10,
    25,
    50,
    75,
    100,
    150,
    200,
    250,
    300,
    400,
    500,
    750,
    1000,
    1500,
    2000,
    2500,
    3000,
    5000,
    10000,
    30000,
)
"""Where a latency histogram can tell: the thresholds that policies use."""
_TYPE = "type.googleapis.com/"
_HTTP = _TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_MANAGER = _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = _TYPE + "envoy.extensions.filters.http.router.v3.Router"
_LOG = _TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog"
_ASSIGNMENT = _TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment"
_LINE = "%START_TIME% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DURATION%ms\n"
"""What Envoy answered itself, and why (its documentation: Access logging, Response Flags); a version's own errors stand in its log."""
_LIMITS = {"max_connections": 20_000, "max_pending_requests": 20_000, "max_requests": 20_000, "max_retries": 100}


@dataclass(frozen=True, slots=True)
class Files:
    """Envoy's files below the state folder."""

    state: Path

    @property
    def bootstrap(self) -> Path:
        return self.state / "envoy" / "bootstrap.yaml"

    @property
    def unanswered(self) -> Path:
        return self.state / "logs" / "envoy-unanswered.log"

    def routes(self, service: str) -> Path:
        return self.state / "envoy" / "rds" / f"{service}.yaml"

    def endpoints(self, service: str, arm: str) -> Path:
        return self.state / "envoy" / "eds" / f"{service}-{arm}.yaml"


def bootstrap(files: Files, traffic: Mapping[str, int], admin: int) -> dict[str, Any]:
    """Envoy's static part. All files of ours are JSON, which is YAML.

    Args:
        traffic: listener port by service
        admin: port of the admin interface
    """
    return {
        "node": {"id": "serinus-local", "cluster": "serinus-local"},
        "admin": {"address": _address(admin)},
        # Histograms would otherwise lag five seconds behind.
        "stats_flush_interval": "0.2s",
        "stats_config": {
            "histogram_bucket_settings": [{"match": {"suffix": "upstream_rq_time"}, "buckets": list(EDGES_MS)}],
        },
        "static_resources": {
            "listeners": [_listener(files, service, port) for service, port in traffic.items()],
            "clusters": [_cluster(files, service, arm) for service in traffic for arm in ARMS],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _watched(path: Path) -> dict[str, Any]:
    source = {"path": str(path), "watched_directory": {"path": str(path.parent)}}
    return {"path_config_source": source, "resource_api_version": "V3"}


def _listener(files: Files, service: str, port: int) -> dict[str, Any]:
    manager = {
        "@type": _MANAGER,
        "stat_prefix": service,
        "rds": {"route_config_name": service, "config_source": _watched(files.routes(service))},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
        "access_log": [
            {
                "name": "envoy.access_loggers.file",
                "filter": {"response_flag_filter": {}},
                "typed_config": {
                    "@type": _LOG,
                    "path": str(files.unanswered),
                    "log_format": {"text_format_source": {"inline_string": _LINE}},
                },
            }
        ],
    }
    return {
        "name": service,
        "address": _address(port),
        # With it two Envoys could share a port and each get half of the traffic.
        "enable_reuse_port": False,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _cluster(files: Files, service: str, arm: str) -> dict[str, Any]:
    return {
        "name": f"{service}-{arm}",
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _watched(files.endpoints(service, arm))},
        "connect_timeout": "0.25s",
        "ignore_health_on_host_removal": True,
        "circuit_breakers": {"thresholds": [{"priority": "DEFAULT", **_LIMITS}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _HTTP,
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def write_bootstrap(files: Files, traffic: Mapping[str, int], admin: int) -> None:
    files.bootstrap.parent.mkdir(parents=True, exist_ok=True)
    _replace(files.bootstrap, bootstrap(files, traffic, admin))


def write_endpoints(files: Files, service: str, arm: str, ports: Sequence[int]) -> None:
    """An arm's endpoints; none at all makes Envoy answer 503 for it, never the other arm."""
    assignment = {
        "@type": _ASSIGNMENT,
        "cluster_name": f"{service}-{arm}",
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}} for port in sorted(ports)]}],
    }
    path = files.endpoints(service, arm)
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, {"resources": [assignment]})


def _replace(path: Path, content: dict[str, Any]) -> None:
    """By rename, which is what Envoy watches for."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content, indent=1))
    temporary.replace(path)


def command(files: Files, log: Path) -> Command:
    words = (
        *(str(envoy()), "-c", str(files.bootstrap), "--concurrency", "1", "--disable-hot-restart"),
        *("-l", "warning"),
    )
    return Command("envoy", words, log)


@dataclass(frozen=True, slots=True)
class Admin:
    """Envoy's admin interface.

    Args:
        client: not tied to one server
        url: without a slash at its end
    """

    client: httpx.AsyncClient
    url: str

    async def text(self, path: str, **query: str) -> str:
        """Raises Unavailable where it does not answer."""
        try:
            answer = await self.client.get(self.url + path, params=query, timeout=ADMIN_SECONDS)
            answer.raise_for_status()
        except httpx.HTTPError as cause:
            raise Unavailable(
                f"Envoy's admin interface at {self.url} does not answer: {cause or type(cause).__name__}"
            ) from cause
        return answer.text

    async def endpoints(self, cluster: str) -> frozenset[int]:
        """Ports that Envoy has among the cluster's endpoints now. Raises Unavailable."""
        lines = (await self.text("/clusters")).splitlines()
        parts = [line.split("::") for line in lines]
        hosts = [part[1] for part in parts if len(part) == 4 and part[0] == cluster and part[2] == "cx_active"]
        return frozenset(int(host.rpartition(":")[2]) for host in hosts)

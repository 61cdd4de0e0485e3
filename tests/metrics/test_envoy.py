"""The source `envoy` against Envoy's own page: the series are called as we ask for them."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from serinus.analysis.reading import Arm, Reading
from serinus.local.programs import envoy as envoy_binary
from serinus.metrics.prometheus import PrometheusMetrics
from serinus.metrics.sources import envoy
from tests.metrics.demanding import serving
from tests.metrics.real import SERVICE, Prometheus, a_prometheus

pytestmark = pytest.mark.real
TYPES = "type.googleapis.com/envoy.extensions.filters"


def _cluster(arm: Arm, port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    name = f"{SERVICE}-{arm}"
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def _bootstrap(front: int, admin: int, stable: int, canary: int) -> dict[str, Any]:
    """`/canary` goes to the canary, the rest to stable; bucket edges where thresholds are."""
    routes = [
        {"match": {"prefix": prefix}, "route": {"cluster": f"{SERVICE}-{arm}"}}
        for prefix, arm in (("/canary", Arm.CANARY), ("/", Arm.STABLE))
    ]
    manager = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{TYPES}.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}

    def at(port: int) -> dict[str, Any]:
        return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}

    edges = {"match": {"safe_regex": {"regex": ".*upstream_rq_time"}}, "buckets": [100, 500, 2000]}
    return {
        "admin": at(admin),
        "stats_flush_interval": "0.2s",
        "stats_config": {"histogram_bucket_settings": [edges]},
        "static_resources": {
            "listeners": [at(front) | {"filter_chains": [chain]}],
            "clusters": [_cluster(Arm.STABLE, stable), _cluster(Arm.CANARY, canary)],
        },
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def an_envoy(folder: Path, stable: int) -> Iterator[tuple[int, int]]:
    """Its front and admin ports; nobody listens where its canary should be."""
    front, admin, dead = _free_ports(3)
    config = folder / "envoy.json"
    config.write_text(json.dumps(_bootstrap(front, admin, stable, dead)))
    words = [str(envoy_binary()), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield front, admin
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[tuple[str, str, Prometheus]]:
    """Addresses of Envoy's front and admin interface, and the Prometheus that scrapes it."""
    with (
        serving(lambda asked: asked.say(500 if asked.path == "/bad" else 200, b"ok")) as app,
        an_envoy(tmp_path, app.server_address[1]) as (front, admin),
        a_prometheus(tmp_path, [f"127.0.0.1:{admin}"], 0.5) as prometheus,
    ):
        yield f"http://127.0.0.1:{front}", f"127.0.0.1:{admin}", prometheus


def figures(reading: Reading) -> dict[tuple[Arm, str], float]:
    return {(counter.arm, counter.figure): counter.value for counter in reading.counters}


async def test_a_dead_canary_beside_a_good_stable(rig: tuple[str, str, Prometheus]) -> None:
    front, admin, prometheus = rig
    await prometheus.holds("envoy_cluster_upstream_rq_completed == 0")
    one = PrometheusMetrics(prometheus.url, envoy(SERVICE), (0.1, 0.5), scrape_seconds=0.5, timeout_seconds=5.0)
    quiet = figures(await one.read())
    assert quiet == {(Arm.CANARY, "requests"): 0, (Arm.STABLE, "requests"): 0}, "no error series before an error"

    async with httpx.AsyncClient(trust_env=False, base_url=front) as client:
        answers = [await client.get(path) for path in ("/canary", "/", "/", "/bad") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [503] * 5 + [200] * 10 + [500] * 5
    await prometheus.holds("envoy_cluster_upstream_rq_time_count == 15")

    reading = await one.read()
    assert reading.targets == {admin: True}
    assert figures(reading) == {
        (Arm.CANARY, "requests"): 5,
        (Arm.CANARY, "server_errors"): 5,
        (Arm.STABLE, "requests"): 15,
        (Arm.STABLE, "server_errors"): 5,
        (Arm.STABLE, "timed"): 15,
        (Arm.STABLE, "within:0.1"): 15,
        (Arm.STABLE, "within:0.5"): 15,
    }
    assert await one.findings() == ()

"""A real Prometheus for tests, and a tiny process that it scrapes, whose counters the test sets."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import time
from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from serinus.analysis.reading import Arm
from serinus.local.meter import Meter
from serinus.local.programs import obtain
from tests.metrics.demanding import Asked, Demanding, serving

EDGES_MS = (100, 250, 500, 2000)
READY_SECONDS = 60.0
SERVICE = "shop"
CLUSTERS = {arm: f"{SERVICE}-{arm}" for arm in (Arm.CANARY, Arm.STABLE)}

Sample = tuple[str, dict[str, str], float, int]
"""Name, labels, value, seconds since the epoch."""


class Exporter:
    """What Envoy's page says of one service: a series appears with its first event.

    Args:
        clusters: what Envoy calls each arm
    """

    def __init__(self, clusters: Mapping[Arm, str] = CLUSTERS) -> None:
        self.clusters = clusters
        self.counts: Tally[tuple[Arm, str]] = Tally()
        self.scrapes = 0
        self.arms = (Arm.CANARY, Arm.STABLE)
        self.each_scrape = 0
        """So many requests, failed and timed ones, of each arm between two scrapes."""
        self.broken = False

    def serve(self, arm: Arm, requests: int, errors: int = 0, slow: int = 0) -> None:
        """Requests, of which some failed and some took longer than half a second."""
        self.counts[arm, "requests"] += requests
        self.counts[arm, "errors"] += errors
        self.counts[arm, "slow"] += slow

    def forget(self) -> None:
        """As if it had been started anew."""
        self.counts.clear()
        self.each_scrape = 0
        self.broken = False

    def page(self, asked: Asked) -> None:
        if self.broken:
            asked.say(500, b"broken")
            return
        self.scrapes += 1
        for arm in self.arms:
            self.serve(arm, self.each_scrape, self.each_scrape)
        lines = [line for arm in self.arms for line in self._arm(arm)]
        asked.say(200, "\n".join(lines).encode() + b"\n", Content_Type="text/plain; version=0.0.4")

    def _arm(self, arm: Arm) -> Iterator[str]:
        requests, errors, slow = (self.counts[arm, what] for what in ("requests", "errors", "slow"))
        of, counted = f'envoy_cluster_name="{self.clusters[arm]}"', "envoy_cluster_upstream_rq"
        yield f"{counted}_completed{{{of}}} {requests}"
        if errors:
            yield f'{counted}_xx{{envoy_response_code_class="5",{of}}} {errors}'
        if requests > errors:
            yield f'{counted}_xx{{envoy_response_code_class="2",{of}}} {requests - errors}'
        if requests:
            for edge in EDGES_MS:
                yield f'{counted}_time_bucket{{{of},le="{edge}"}} {requests - (slow if edge <= 500 else 0)}'
            yield f'{counted}_time_bucket{{{of},le="+Inf"}} {requests}'
            yield f"{counted}_time_count{{{of}}} {requests}"


class Application:
    """A pod of each arm that counts for itself, as the demo service does.

    Args:
        pods: what they are called
    """

    def __init__(self, pods: Mapping[Arm, str]) -> None:
        self.pods = pods
        self.meters = {arm: Meter() for arm in pods}
        self.broken = False

    def serve(self, arm: Arm, requests: int, errors: int = 0) -> None:
        for number in range(requests):
            self.meters[arm].observe("GET", 500 if number < errors else 200, 0.01)

    def page(self, asked: Asked) -> None:
        meter = next(meter for arm, meter in self.meters.items() if asked.path.endswith(self.pods[arm]))
        asked.say(500 if self.broken else 200, meter.text().encode(), Content_Type="text/plain; version=0.0.4")

    def targets(self, address: str) -> list[dict[str, Any]]:
        """As a scrape finds them: with the pod's name and namespace."""
        return [
            {"targets": [address], "labels": {"__metrics_path__": f"/{pod}", "pod": pod, "namespace": "market"}}
            for pod in self.pods.values()
        ]


class Prometheus:
    """A running one.

    Args:
        url: its address
        scrape_seconds: how often it scrapes
    """

    def __init__(self, url: str, scrape_seconds: float, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.scrape_seconds = scrape_seconds
        self.process = process

    async def holds(self, query: str) -> None:
        """Wait until a query answers something."""
        deadline = time.monotonic() + READY_SECONDS
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            while time.monotonic() < deadline:
                try:
                    answer = await client.get(f"{self.url}/api/v1/query", params={"query": query})
                    if answer.status_code == 200 and answer.json()["data"]["result"]:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.02)
        raise AssertionError(f"Prometheus never held {query}")

    async def remember(self, samples: list[Sample]) -> None:
        """Give it a past, by its remote-write receiver; samples in the order of their times."""
        series = (_series(labels | {"__name__": name}, value, at) for name, labels, value, at in samples)
        whole = b"".join(_field(1, one) for one in series)
        # Snappy's form of bytes that are not compressed.
        body = _varint(len(whole)) + b"\xfc" + (len(whole) - 1).to_bytes(4, "little") + whole
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            kind = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
            answer = await client.post(f"{self.url}/api/v1/write", content=body, headers=kind)
        assert answer.status_code == 204, answer.text


def _series(labels: dict[str, str], value: float, at: int) -> bytes:
    pairs = (_field(1, _field(1, name.encode()) + _field(2, text.encode())) for name, text in sorted(labels.items()))
    sample = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(at * 1000)
    return b"".join(pairs) + _field(2, sample)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


@contextmanager
def exporting(clusters: Mapping[Arm, str] = CLUSTERS) -> Iterator[tuple[Exporter, Demanding]]:
    exporter = Exporter(clusters)
    with serving(exporter.page) as server:
        yield exporter, server


@contextmanager
def a_prometheus(
    folder: Path, targets: Sequence[str | Mapping[str, Any]], scrape_seconds: float
) -> Iterator[Prometheus]:
    """One that scrapes these addresses (host:port), or what says more of them, as the job `envoy`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    every = f"{round(scrape_seconds * 1000)}ms"
    job = {
        "job_name": "envoy",
        "metrics_path": "/stats/prometheus",
        "static_configs": [{"targets": [one]} if isinstance(one, str) else one for one in targets],
    }
    config = folder / "prometheus.yaml"
    config.write_text(
        json.dumps({"global": {"scrape_interval": every, "scrape_timeout": every}, "scrape_configs": [job]})
    )
    words = [str(obtain("prometheus")), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    words += ["--web.enable-remote-write-receiver", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield Prometheus(f"http://127.0.0.1:{port}", scrape_seconds, process)
    finally:
        process.kill()
        process.wait(10)

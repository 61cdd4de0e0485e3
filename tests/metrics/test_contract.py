"""What every `ports.Metrics` keeps, the fake included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from serinus.analysis.reading import Arm, Reading
from serinus.errors import Unavailable
from serinus.metrics.prometheus import PrometheusMetrics
from serinus.metrics.sources import envoy
from serinus.ports import Metrics
from tests.fakes import FakeWorld, Fault, a_world
from tests.metrics.real import SERVICE, Exporter, Prometheus, a_prometheus, exporting

EDGES = (0.1, 0.5, 2.0)


class Rig(Protocol):
    """Metrics, and what they measure."""

    @property
    def metrics(self) -> Metrics: ...
    @property
    def scrape_seconds(self) -> float: ...
    async def serve(self, arm: Arm, requests: int, errors: int) -> None:
        """And let it be scraped."""

    async def lose_target(self) -> None: ...
    async def lose_metrics(self) -> None: ...


class FakeRig:
    def __init__(self) -> None:
        self.world: FakeWorld = a_world(rate=0.0, edges=EDGES)
        self.metrics: Metrics = self.world.metrics
        self.scrape_seconds = self.world.scrape_seconds
        self.world.advance(1.0)

    async def serve(self, arm: Arm, requests: int, errors: int) -> None:
        names = ("requests", "timed", *(f"within:{edge:g}" for edge in EDGES))
        self.world.counters.update({(arm, name): requests for name in names})
        if errors:
            self.world.counters[arm, "server_errors"] += errors
        self.world.advance(self.world.now + 1.0)

    async def lose_target(self) -> None:
        self.world.inject(Fault.TARGET_DOWN)
        self.world.advance(self.world.now + 1.0)

    async def lose_metrics(self) -> None:
        self.world.inject(Fault.METRICS_DOWN)


class RealRig:
    def __init__(self, exporter: Exporter, prometheus: Prometheus) -> None:
        self.exporter, self.prometheus = exporter, prometheus
        self.scrape_seconds = prometheus.scrape_seconds
        self.metrics: Metrics = PrometheusMetrics(
            prometheus.url, envoy(SERVICE), EDGES, scrape_seconds=self.scrape_seconds, timeout_seconds=5.0
        )

    async def serve(self, arm: Arm, requests: int, errors: int) -> None:
        self.exporter.serve(arm, requests, errors)
        total = self.exporter.counts[arm, "requests"]
        cluster = f'envoy_cluster_name="{SERVICE}-{arm}"'
        await self.prometheus.holds(f"envoy_cluster_upstream_rq_completed{{{cluster}}} == {total}")

    async def lose_target(self) -> None:
        self.exporter.broken = True
        await self.prometheus.holds("up == 0")

    async def lose_metrics(self) -> None:
        self.prometheus.process.kill()
        self.prometheus.process.wait(10)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    if request.param == "fake":
        yield FakeRig()
        return
    with exporting() as (exporter, server), a_prometheus(tmp_path, [server.url.partition("://")[2]], 0.2) as prometheus:
        await prometheus.holds("envoy_cluster_upstream_rq_completed")
        yield RealRig(exporter, prometheus)


def counted(reading: Reading, arm: Arm, figure: str) -> float | None:
    """The only counter of that name; None where there is none."""
    found = [counter.value for counter in reading.counters if (counter.arm, counter.figure) == (arm, figure)]
    assert len(found) < 2
    return found[0] if found else None


async def test_the_contract(rig: Rig) -> None:
    await rig.serve(Arm.STABLE, 200, 0)
    await rig.serve(Arm.CANARY, 10, 3)
    reading = await rig.metrics.read()

    assert list(reading.targets.values()) == [True]
    assert {counter.target for counter in reading.counters} == set(reading.targets)
    assert counted(reading, Arm.STABLE, "requests") == 200
    assert counted(reading, Arm.STABLE, "server_errors") is None, "before its first event a series is absent, not zero"
    assert counted(reading, Arm.CANARY, "requests") == 10
    assert counted(reading, Arm.CANARY, "server_errors") == 3
    assert counted(reading, Arm.CANARY, "timed") == 10
    assert [counted(reading, Arm.STABLE, f"within:{edge:g}") for edge in EDGES] == [200, 200, 200]
    assert all(0 <= reading.now - counter.at < 60 for counter in reading.counters)
    assert dict(reading.queries) == {}

    await rig.serve(Arm.STABLE, 50, 1)
    later = await rig.metrics.read()
    assert counted(later, Arm.STABLE, "requests") == 250
    assert counted(later, Arm.STABLE, "server_errors") == 1
    assert later.now > reading.now
    assert max(counter.at for counter in later.counters) > max(counter.at for counter in reading.counters)

    assert 0 <= await rig.metrics.until_scrape() <= rig.scrape_seconds
    assert await rig.metrics.history() is None, "it is younger than two hours"

    assert [finding for finding in await rig.metrics.findings() if finding.fatal] == []

    await rig.lose_target()
    assert list((await rig.metrics.read()).targets.values()) == [False]

    await rig.lose_metrics()
    for call in (rig.metrics.read, rig.metrics.until_scrape, rig.metrics.history):
        with pytest.raises(Unavailable):
            await call()
    await rig.metrics.findings()  # says what it can, and raises nothing that concerns the server

"""What every `ports.Metrics` keeps, the fake included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from serinus.analysis.reading import Arm, Reading
from serinus.errors import Unavailable
from serinus.kube import names
from serinus.metrics.prometheus import PrometheusMetrics
from serinus.metrics.sources import Named, Source, app, contour, envoy
from serinus.ports import Metrics
from tests.fakes import FakeWorld, Fault, a_world
from tests.metrics.demanding import Demanding, serving
from tests.metrics.real import CLUSTERS, SERVICE, Application, Exporter, Prometheus, a_prometheus, exporting

EDGES = (0.1, 0.25, 0.5)


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
    def __init__(self, counting: Exporter | Application, prometheus: Prometheus, source: Source) -> None:
        self.counting, self.prometheus, self.source = counting, prometheus, source
        self.scrape_seconds = prometheus.scrape_seconds
        self.metrics: Metrics = PrometheusMetrics(
            prometheus.url, source, EDGES, scrape_seconds=self.scrape_seconds, timeout_seconds=5.0
        )
        self.served = dict.fromkeys(Arm, 0)

    async def serve(self, arm: Arm, requests: int, errors: int) -> None:
        self.counting.serve(arm, requests, errors)
        self.served[arm] += requests
        await self.prometheus.holds(f"sum({self.source.requests(arm)}) == {self.served[arm]}")

    async def lose_target(self) -> None:
        self.counting.broken = True
        await self.prometheus.holds("(count(up) == count(up == 0)) > 0")

    async def lose_metrics(self) -> None:
        self.prometheus.process.kill()
        self.prometheus.process.wait(10)


BEHIND_CONTOUR = {Arm.CANARY: "market_shop-canary_80", Arm.STABLE: "market_shop_80"}
PODS = {Arm.CANARY: "shop-canary-7d4b9c6f5x-x2k9b", Arm.STABLE: "shop-5c9d8b7f44-zzkpl"}
REAL = [pytest.param(name, marks=pytest.mark.real) for name in ("envoy", "contour", "app")]


@pytest.fixture(params=["fake", *REAL])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    if request.param == "fake":
        yield FakeRig()
        return
    if request.param == "app":
        pods = Application(PODS)
        source = app("market", names.pods("shop"), names.pods("shop-canary"), Named())
        with serving(pods.page) as server, a_prometheus(tmp_path, pods.targets(address(server)), 0.2) as prometheus:
            await prometheus.holds("count(up == 1) == 2")
            yield RealRig(pods, prometheus, source)
        return
    behind_contour = request.param == "contour"
    source = contour("market", "shop", "shop-canary") if behind_contour else envoy(SERVICE)
    clusters = BEHIND_CONTOUR if behind_contour else CLUSTERS
    with exporting(clusters) as (exporter, server), a_prometheus(tmp_path, [address(server)], 0.2) as prometheus:
        await prometheus.holds("envoy_cluster_upstream_rq_completed")
        yield RealRig(exporter, prometheus, source)


def address(server: Demanding) -> str:
    return server.url.partition("://")[2]


def counted(reading: Reading, arm: Arm, figure: str) -> float | None:
    """The only counter of that name; None where there is none."""
    found = [counter.value for counter in reading.counters if (counter.arm, counter.figure) == (arm, figure)]
    assert len(found) < 2
    return found[0] if found else None


async def test_the_contract(rig: Rig) -> None:
    await rig.serve(Arm.STABLE, 200, 0)
    await rig.serve(Arm.CANARY, 10, 3)
    reading = await rig.metrics.read()

    assert set(reading.targets.values()) == {True}
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
    assert set((await rig.metrics.read()).targets.values()) == {False}

    await rig.lose_metrics()
    for call in (rig.metrics.read, rig.metrics.until_scrape, rig.metrics.history):
        with pytest.raises(Unavailable):
            await call()
    await rig.metrics.findings()  # says what it can, and raises nothing that concerns the server

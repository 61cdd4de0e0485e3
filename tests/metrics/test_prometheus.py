"""A real Prometheus: one moment, one scrape, every figure; what it says of targets that die, and of the day before."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serinus.analysis.reading import Arm, Reading
from serinus.errors import Unavailable
from serinus.metrics.prometheus import PrometheusMetrics
from serinus.metrics.sources import envoy
from tests.metrics.real import SERVICE, Exporter, Prometheus, Sample, a_prometheus, exporting

pytestmark = pytest.mark.real
SCRAPE = 0.2
Shop = tuple[Exporter, str, Prometheus]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with exporting() as (exporter, server):
        where = server.url.partition("://")[2]
        with a_prometheus(tmp_path_factory.mktemp("prometheus"), [where], SCRAPE) as prometheus:
            yield exporter, where, prometheus


@pytest.fixture
async def shop(started: Shop) -> Shop:
    exporter, _, prometheus = started
    exporter.forget()
    await prometheus.holds("sum(envoy_cluster_upstream_rq_completed) == 0")
    return started


def metrics(prometheus: Prometheus, **how: Any) -> PrometheusMetrics:
    settled = {"scrape_seconds": prometheus.scrape_seconds, "timeout_seconds": 5.0} | how
    return PrometheusMetrics(prometheus.url, envoy(SERVICE), **settled)


def figures(reading: Reading, arm: Arm) -> dict[str, float]:
    return {counter.figure: counter.value for counter in reading.counters if counter.arm is arm}


async def test_every_figure_is_of_one_moment_and_one_scrape(shop: Shop) -> None:
    exporter, where, prometheus = shop
    exporter.each_scrape = 1
    await prometheus.holds('envoy_cluster_upstream_rq_xx{envoy_response_code_class="5"} > 2')
    one = metrics(prometheus, edges=(0.1, 0.5))
    took, seen = [], set()
    for _ in range(300):
        began = time.perf_counter()
        reading = await one.read()
        took.append(time.perf_counter() - began)
        assert reading.targets == {where: True}
        assert len(reading.counters) == 2 * 5
        assert len({counter.value for counter in reading.counters}) == 1, "figures of two scrapes in one reading"
        assert len({counter.at for counter in reading.counters}) == 1
        assert 0 <= reading.now - reading.counters[0].at < 60
        seen.add((reading.counters[0].at, reading.counters[0].value))
    assert len(seen) > 2, "several scrapes happened meanwhile"
    assert len({at for at, _ in seen}) == len(seen)
    assert statistics.median(took) < 0.25


async def test_absent_zero_and_neighbouring_edges(shop: Shop) -> None:
    exporter, _, prometheus = shop
    one = metrics(prometheus, edges=(0.3, 0.5, 9.0))
    await prometheus.holds("envoy_cluster_upstream_rq_completed")
    reading = await one.read()
    assert figures(reading, Arm.CANARY) == figures(reading, Arm.STABLE) == {"requests": 0}
    exporter.serve(Arm.STABLE, 100, errors=3, slow=7)
    await prometheus.holds("envoy_cluster_upstream_rq_completed == 100")
    reading = await one.read()
    assert figures(reading, Arm.CANARY) == {"requests": 0}
    within = {"within:0.25": 93, "within:0.5": 93, "within:2": 100}
    assert figures(reading, Arm.STABLE) == {"requests": 100, "server_errors": 3, "timed": 100, **within}


async def test_a_broken_target_is_down_and_has_no_figures(shop: Shop) -> None:
    exporter, where, prometheus = shop
    one = metrics(prometheus)
    exporter.broken = True
    await prometheus.holds("up == 0")
    reading = await one.read()
    assert (reading.counters, reading.targets) == ((), {where: False})
    assert await one.until_scrape() == SCRAPE
    (finding, *_) = await one.findings()
    assert (finding.fatal, finding.what) == (True, f"it cannot scrape {where}")


async def test_a_killed_prometheus_is_unavailable(tmp_path: Path) -> None:
    with a_prometheus(tmp_path, [], SCRAPE) as prometheus:
        await prometheus.holds("vector(1)")
        one = metrics(prometheus)
        assert (await one.read()).targets == {}
        prometheus.process.kill()
        prometheus.process.wait(10)
        with pytest.raises(Unavailable, match="cannot be reached: connection refused"):
            await one.read()
        (finding,) = await one.findings()
        assert finding.fatal


async def test_the_wait_for_a_scrape_ends_when_it_can_be_read(shop: Shop) -> None:
    exporter, _, prometheus = shop
    exporter.each_scrape = 1
    await prometheus.holds("envoy_cluster_upstream_rq_completed > 1")
    one = metrics(prometheus)
    waits = []
    newest = (await one.read()).counters[0].at
    for _ in range(5):
        seen = newest
        while newest == seen:
            waits.append(await one.until_scrape())
            await asyncio.sleep(waits[-1])
            newest = (await one.read()).counters[0].at
    assert all(0 <= wait <= SCRAPE for wait in waits)
    assert len(waits) <= 5 * 5, "a wait or a few bring a new scrape"


async def test_threshold_metrics_by_arm(shop: Shop) -> None:
    exporter, _, prometheus = shop
    exporter.serve(Arm.CANARY, 7)
    exporter.serve(Arm.STABLE, 70)
    await prometheus.holds("envoy_cluster_upstream_rq_completed == 70")
    name = "envoy_cluster_upstream_rq_completed"
    asked = {
        "canary": f"max({name}{{$canary}})",
        "ratio": f"sum({name}{{$canary}}) / sum({name}{{$stable}})",
        "several": name,
        "none": f"{name}{{$canary}} > 100",
        "NaN": "vector(0) / 0",
        "broken": "sum((",
        "no such function": "median(up)",
        "many to many": f"{name} * on (job) {name}",
        "scalar": "scalar(vector(2))",
        "untouched": 'label_replace(vector(3), "a", "$1", "b", "$stability")',
    }
    one = metrics(prometheus, query_gates=asked)
    queries = (await one.read()).queries
    assert {name: queries[name] for name in ("canary", "ratio", "none", "scalar", "untouched")} == {
        "canary": (7,),
        "ratio": (0.1,),
        "none": (),
        "scalar": (2,),
        "untouched": (3,),
    }
    assert sorted(queries["several"]) == [7, 70]
    assert all(math.isnan(*queries[name]) for name in ("NaN", "broken", "no such function", "many to many"))
    assert [word.split(": ", 1)[1][:30] for word in one.warnings]
    found = {finding.where: finding for finding in await one.findings()}
    fatal = {where for where, finding in found.items() if finding.fatal}
    assert fatal == {f"gate {name!r}" for name in ("several", "broken", "no such function", "many to many")}
    assert "unclosed left parenthesis" in str(found["gate 'broken'"])


async def test_findings_of_a_good_prometheus_are_none(shop: Shop) -> None:
    exporter, _, prometheus = shop
    exporter.serve(Arm.STABLE, 10)
    await prometheus.holds("envoy_cluster_upstream_rq_time_count == 10")
    assert await metrics(prometheus, edges=(0.1, 0.5)).findings() == ()


async def test_a_stable_without_requests_is_noted_with_the_figure(shop: Shop) -> None:
    _, _, prometheus = shop
    await prometheus.holds("envoy_cluster_upstream_rq_completed == 0")
    idle = [finding for finding in await metrics(prometheus).findings() if "requests" in finding.what]
    assert [(one.what, one.fatal) for one in idle] == [("stable has answered 0 requests in the last 60 s", False)]


async def test_findings_name_what_is_unfit(shop: Shop) -> None:
    exporter, _, prometheus = shop
    exporter.serve(Arm.STABLE, 10)
    await prometheus.holds("envoy_cluster_upstream_rq_time_count == 10")
    found = [str(finding) for finding in await metrics(prometheus, edges=(0.3, 3.0), scrape_seconds=0.1).findings()]
    assert len(found) == 3
    assert "the source is scraped every 0.2 s, not every 0.1 s; say so in the policy" in found[0] + found[1]
    assert any("ends at 2 s, so 3 s cannot be judged" in text for text in found[:2])
    assert "has no edge at 0.3 s: a pass is judged at 0.25 s and a failure at 0.5 s" in found[2]
    (slower,) = await metrics(prometheus, scrape_seconds=15.0).findings()
    assert not slower.fatal
    (absent, *_) = await PrometheusMetrics(prometheus.url, envoy("books"), timeout_seconds=5.0).findings()
    assert absent.fatal
    assert "stable has no series envoy_cluster_upstream_rq_completed" in absent.what


async def test_a_young_prometheus_has_no_history(shop: Shop) -> None:
    exporter, _, prometheus = shop
    exporter.serve(Arm.STABLE, 10)
    await prometheus.holds("envoy_cluster_upstream_rq_completed > 1")
    assert await metrics(prometheus).history() is None


async def test_the_past_day_is_read_by_windows(tmp_path: Path) -> None:
    """30 requests a minute for five hours, 5 errors in each hour's minute 7, a restart after three hours."""
    last = math.floor(time.time() / 300) * 300
    requests, errors = 0, 0
    past: list[Sample] = []
    for minute in range(301):
        at = last - (300 - minute) * 60
        if minute == 180:
            requests = errors = 0
        requests += 30
        errors += 5 if minute % 60 == 7 else 0
        past.append(("envoy_cluster_upstream_rq_completed", {}, requests, at))
        if errors:
            past.append(("envoy_cluster_upstream_rq_xx", {"envoy_response_code_class": "5"}, errors, at))
    labels = {"job": "envoy", "instance": "old:1", "envoy_cluster_name": f"{SERVICE}-stable"}
    with a_prometheus(tmp_path, [], SCRAPE) as prometheus:
        await prometheus.holds("vector(1)")
        await prometheus.remember([(name, labels | more, value, at) for name, more, value, at in past])
        history = await metrics(prometheus).history()
    assert history is not None
    assert history.window_seconds == 300
    assert len(history.errors) == len(history.requests) >= 57
    assert sum(history.errors) == 25, "the first errors of a process count too"
    assert set(history.errors) == {0, 5}
    assert statistics.multimode(history.requests) == [150]
    assert max(history.requests) == 150

"""Whole releases without a proxy that splits: the canary's number of pods is its weight, and the pods count for themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serinus.kube import names
from serinus.metrics import sources
from serinus.metrics.prometheus import PrometheusMetrics
from serinus.release.record import State
from tests.cluster.access import Access
from tests.kube.test_release import STABLE, holds, leftovers, released, users
from tests.routers.on_kubernetes import FORMS
from tests.workloads.on_kubernetes import a_deployment, a_service
from tests.workloads.test_rights import granted

pytestmark = pytest.mark.cluster
PHASES = [{"weight": weight, "soak": "3s"} for weight in ("5%", "50%")]
SCRAPED = {"prometheus.io/scrape": "true"}


def a_counting_deployment(replicas: int = 3) -> dict[str, Any]:
    """Its pods are scraped, and the canary's with them."""
    made = a_deployment(replicas=replicas, containers=[STABLE])
    made["spec"]["template"]["metadata"]["annotations"] = SCRAPED
    return made


SUCCESS = """
sum(rate(http_requests_total{status!~"5.."}[1m]))
/
sum(rate(http_requests_total[1m]))
"""
LATENCY = """
histogram_quantile(0.99,
  sum(rate(http_request_duration_seconds_bucket[1m])) by (le)
)
"""
"""The plan's own two queries: of everything that this Prometheus scrapes."""
BY_ARM = SUCCESS.replace("[1m]", "{$canary}[1m]").replace('{status!~"5.."}{', '{status!~"5..",')
LATENCY_BY_ARM = LATENCY.replace("[1m]", "{$canary}[1m]")
CUSTOM: list[dict[str, str]] = [
    {"name": "success", "query": SUCCESS, "min": "1%", "unit": "ratio"},
    {"name": "p99", "query": LATENCY, "max": "5s", "unit": "s"},
    {"name": "the canary's success", "query": BY_ARM, "min": "99%", "unit": "ratio"},
    {"name": "the canary's p99", "query": LATENCY_BY_ARM, "max": "500ms", "unit": "s"},
]
GATES: dict[str, Any] = {"error_rate": {"max": "2%", "abort_above": "10%"}, "custom": CUSTOM}


@pytest.mark.parametrize(
    ("version", "ends", "runs"),
    [("v1.1", State.PROMOTED, "v1.1"), ("v2-errors", State.ROLLED_BACK, "v1.0")],
)
async def test_a_release_by_the_number_of_pods(
    version: str, ends: State, runs: str, space: Access, tmp_path: Path
) -> None:
    host, url = f"{space.namespace}.example", space.cluster.ingress
    granted(space, tmp_path, "replicas")
    space.apply(a_counting_deployment(), a_service(), a_service("files"), FORMS["contour"].object(host))
    async with users(url, host) as asked:
        await holds(space.cluster.prometheus, f'count(http_requests_total{{namespace="{space.namespace}"}} > 0) == 3')
        engine = await released(space, "replicas", version, tmp_path, phases=PHASES, gates=GATES)
        answers = await asked_of(space)
    assert 0 < answers["success"] <= 1
    assert 0 < answers["p99"] < 5
    record = engine.record
    assert record.state is ends, record.outcome
    deployment = space.get("deployment", "shop")
    assert deployment["spec"]["replicas"] == 3
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":{runs}")
    assert leftovers(space) == []
    if ends is State.PROMOTED:
        assert asked.failed == 0, asked.seen
        assert answers["the canary's success"] == 1
        assert 0 < answers["the canary's p99"] < 0.5
        assert [percent for _, percent in record.tally.weights] == [25, 50, 0]
    else:
        # A counter that first appears with its failures has no rate before its second scrape: it may be rolled back by then.
        assert answers["the canary's success"] <= 1
        counted = record.gate.totals.canary
        assert 1 - counted.errors / counted.requests < 0.95
        assert 0 < asked.failed < 60, asked.seen
        assert asked.failed == asked.seen["500 v2-errors"], "no request is lost with the pods that go"


async def asked_of(space: Access) -> dict[str, float]:
    """What every query of the policy answers: a single number each; of the canary as long as its last minute is not over."""
    source = sources.app(space.namespace, names.pods("shop"), names.pods("shop-canary"), sources.Named())
    queries = {one["name"]: one["query"] for one in CUSTOM}
    async with PrometheusMetrics(space.cluster.prometheus, source, (), queries, timeout_seconds=5.0) as metrics:
        answers = (await metrics.read()).queries
    assert all(len(values) == 1 for values in answers.values()), answers
    return {name: values[0] for name, values in answers.items()}

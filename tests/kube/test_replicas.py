"""Whole releases without a proxy that splits: the canary's number of pods is its weight, and the pods count for themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
        engine = await released(space, "replicas", version, tmp_path, phases=PHASES)
    record = engine.record
    assert record.state is ends, record.outcome
    deployment = space.get("deployment", "shop")
    assert deployment["spec"]["replicas"] == 3
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":{runs}")
    assert leftovers(space) == []
    if ends is State.PROMOTED:
        assert asked.failed == 0, asked.seen
        assert [percent for _, percent in record.tally.weights] == [25, 50, 0]
    else:
        assert 0 < asked.failed < 60, asked.seen
        assert asked.failed == asked.seen["500 v2-errors"], "no request is lost with the pods that go"

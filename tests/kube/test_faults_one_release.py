"""One fault or one storm of wrong answers in one release, each in a namespace of its own: several at a time on one cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from serinus.local.cluster.cluster import Cluster
from tests.kube import faults_api, faults_canary, faults_engine, faults_route
from tests.kube.ground import play

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
AT_ONCE = 4
SECONDS, STORM_SECONDS = 150.0, 480.0
# The longest begin first.
SCENARIOS = {
    **faults_api.STORMS,
    **faults_engine.SCENARIOS,
    **faults_api.SCENARIOS,
    **faults_route.SCENARIOS,
    **faults_canary.SCENARIOS,
}


def seconds_of(name: str) -> float:
    return STORM_SECONDS if name in faults_api.STORMS else SECONDS


@pytest.fixture(scope="module")
def came(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Any]:
    """What came of every scenario that a chosen test asks for."""
    asking = [item for item in request.session.items if isinstance(item, pytest.Function)]
    names = [str(item.callspec.params["name"]) for item in asking if item.function is test_a_fault]
    chosen = {name: SCENARIOS[name] for name in names}
    return asyncio.run(play(cluster, tmp_path_factory.mktemp("faults"), chosen, AT_ONCE, seconds_of))


@pytest.mark.parametrize("name", SCENARIOS, ids=[name.replace(" ", "-") for name in SCENARIOS])
def test_a_fault(name: str, came: Mapping[str, Any]) -> None:
    """What was done is the scenario's; here is only what came of it."""
    if isinstance(came[name], BaseException):
        raise came[name]
    print(f"{name}: {came[name]}")

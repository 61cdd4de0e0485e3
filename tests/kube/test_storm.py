"""A release on an API server that answers one call in three wrong, a namespace for each way of being wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from serinus.local.cluster.cluster import Cluster
from tests.kube.faults_api import STORMS
from tests.kube.ground import play

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
AT_ONCE, SECONDS = 4, 480.0


@pytest.fixture(scope="module")
def came(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Any]:
    """What came of every storm that a chosen test asks for."""
    asking = [item for item in request.session.items if isinstance(item, pytest.Function)]
    names = [str(item.callspec.params["name"]) for item in asking if item.function is test_it_is_promoted]
    chosen = {name: STORMS[name] for name in names}
    return asyncio.run(play(cluster, tmp_path_factory.mktemp("storms"), chosen, AT_ONCE, SECONDS))


@pytest.mark.parametrize("name", STORMS, ids=[name.replace(" ", "-") for name in STORMS])
def test_it_is_promoted(name: str, came: Mapping[str, Any]) -> None:
    """What was done is the scenario's; here is only what came of it."""
    if isinstance(came[name], BaseException):
        raise came[name]
    print(f"{name}: {came[name]}")

"""The flows' tests: this process' Prefect client pointed at their server, and a platform with a worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from tests.flows.platform import Running, running
from tests.flows.serving import PrefectServer


@pytest.fixture
def prefect(prefect_server: PrefectServer, tmp_path: Path) -> Iterator[PrefectServer]:
    """The server, meant by every Prefect client of this test."""
    with temporary_settings({PREFECT_API_URL: prefect_server.api, PREFECT_HOME: tmp_path}):
        yield prefect_server


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Stable runs v1 when a test begins, and again when it ends."""
    with running(tmp_path_factory.mktemp("platform")) as here:
        yield here

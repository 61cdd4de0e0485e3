"""Two Prefect servers for the tests of every room: each is started once, as one start costs five seconds of a processor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.flows.serving import PrefectServer, serving


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Deployed to; healthy when a test begins, as each test leaves it so, and no worker asks it for anything."""
    from flows.deploy import deploy  # here, because Prefect takes longer than most tests that need none
    from flows.start import history_sent

    with serving(tmp_path_factory.mktemp("prefect")) as server:
        asyncio.run(deploy(server.api))
        yield server
        asyncio.run(history_sent(20.0))


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """With an auth string; nothing is deployed when a test begins, and when it ends."""
    with serving(tmp_path_factory.mktemp("bare"), PREFECT_SERVER_API_AUTH_STRING="user:password") as server:
        yield server

"""A Prefect server for the flows' tests, once; and this process' Prefect client pointed at it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from flows.deploy import deploy
from flows.start import history_sent
from tests.flows.platform import Running, running
from tests.flows.serving import PrefectServer


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Deployed to; healthy when a test begins, as each test leaves it so."""
    server = PrefectServer(tmp_path_factory.mktemp("prefect"))
    server.start()
    try:
        server.wait()
        asyncio.run(deploy(server.api))
        yield server
        asyncio.run(history_sent(20.0))
    finally:
        server.end()


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


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server with an auth string, and nothing deployed."""
    server = PrefectServer(tmp_path_factory.mktemp("bare"), more={"PREFECT_SERVER_API_AUTH_STRING": "user:password"})
    server.start()
    try:
        server.wait()
        yield server
    finally:
        server.end()

"""A Prefect server older than the client, as far back as its history is whole: `flows.start.OLDEST_SERVER`.

Down to 3.2 releases run and their runs end in the right state, but the server does not take this client's events, so the bars of a run
are missing; older ones do not take the deployments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

import flows.release as story
import flows.subflow
from flows import start
from flows.deploy import deploy
from serinus.local.prefect_server import environment
from serinus.settings import Folders
from tests.fakes import Version, a_world
from tests.flows.over_fakes import entering
from tests.flows.serving import PrefectServer
from tests.flows.test_release import seen
from tests.release.builders import a_plan

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server of the oldest version, installed for this test."""
    folder = tmp_path_factory.mktemp("older")
    server = PrefectServer(folder)
    python = _installed(folder / "venv", start.OLDEST_SERVER)
    serve = ("-m", "uvicorn", "--factory", "prefect.server.api.server:create_app")
    where = ("--host", "127.0.0.1", "--port", str(server.port), "--log-level", "warning")
    with (folder / "server.log").open("ab") as log:
        server.process = subprocess.Popen(
            [python, *serve, *where], env=environment(folder, server.port), stdout=log, stderr=log
        )
    try:
        server.wait()
        yield server
    finally:
        server.end()


def _installed(place: Path, version: str) -> str:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv here to install an older Prefect with")
    python = str(place / "bin" / "python")
    make = [uv, "venv", "--quiet", "--python", sys.executable, str(place)]
    fill = [uv, "pip", "install", "--quiet", "--python", python, f"prefect=={version}", "fastapi<0.116"]
    for words in (make, fill):
        done = subprocess.run(words, env=os.environ, capture_output=True, text=True, timeout=240, check=False)
        if done.returncode:
            pytest.skip(f"Prefect {version} cannot be installed here: {done.stderr[-300:]}")
    return python


async def test_a_release_by_an_older_server_is_wholly_there(
    older: PrefectServer, folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert older.get("/admin/version") == start.OLDEST_SERVER
    world = a_world(versions={"v1": Version(), "v2": Version(errors=0.3)})
    monkeypatch.setattr(story, "enter", entering(world, folders, a_plan()))
    monkeypatch.setattr(flows.subflow, "OPEN_SECONDS", 30.0)
    with temporary_settings({PREFECT_API_URL: older.api, PREFECT_HOME: tmp_path}):
        await deploy(older.api)
        await deploy(older.api)
        key = uuid4().hex
        made = await start.create("shop", "v2", key=key, here=True)
        again = await start.create("shop", "v2", key=key, here=True)
        assert (made.ours, again.ours, again.run.id) == (True, False, made.run.id)
        state = await start.run_here(made)
        assert (state.name, older.run(made.run.id)["state_name"]) == ("RolledBack", "RolledBack")
        shown = await seen(lambda: older.tasks(made.run.id), lambda found: len(found) == 7)
        assert [task["name"] for task in shown][-2:] == ["gate 5 %", "rollback-0"]
        assert set(older.artifacts(made.run.id)) == {"shop-progress", "shop-timeline", "shop-report"}
        [chapter] = older.subflows(made.run.id)
        assert "error_rate" in chapter["name"]
        await start.history_sent(20.0)

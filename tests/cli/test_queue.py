"""What is queued at a Prefect server, and whether a worker is there: asked of a real one, and told by the verbs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.objects import State as PrefectState
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Running, Scheduled

from flows.start import create
from serinus.cli.queue import Coming, coming, give_up, lacking, state_of
from serinus.ledgers.file import FileLedger
from serinus.release.record import Outcome, Record, State
from serinus.routers.envoy import initial
from serinus.settings import Folders
from tests.cli.real import Typed
from tests.flows.serving import PrefectServer
from tests.release.builders import a_release

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
ENDED = replace(
    a_release().record, state=State.ROLLED_BACK, ended=True, outcome=Outcome("31 % > 5 %", "error_rate", "", 5.0, 0.02)
)


@pytest.fixture
def server(prefect_server: PrefectServer) -> PrefectServer:
    return prefect_server


@pytest.fixture(autouse=True)
async def _emptied(server: PrefectServer, folders: Folders) -> AsyncIterator[None]:
    """There is no run; the service's last release was rolled back."""
    initial(folders, "shop")
    await FileLedger(folders, "shop").write(ENDED, None)
    with temporary_settings({PREFECT_API_URL: server.api}):
        async with get_client() as client:
            while runs := await client.read_flow_runs():
                for run in runs:
                    await client.delete_flow_run(run.id)
        yield


async def queued(service: str = "shop", here: bool = False, if_busy: str = "refuse") -> FlowRun:
    return (await create(service, "v2", key=os.urandom(4).hex(), here=here, if_busy=if_busy)).run


async def move(run: FlowRun, state: object) -> None:
    async with get_client() as client:
        await client.set_flow_run_state(run.id, state, force=True)  # type: ignore[arg-type]


async def typed(folders: Folders, server: PrefectServer, *words: str) -> Typed:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "serinus.cli", *words, "--api", server.api),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "SERINUS_STATE": str(folders.state)},
    )
    return Typed(process)


async def line(typed: Typed, part: str) -> str:
    assert typed.process.stdout is not None
    async with asyncio.timeout(60):
        while part not in (said := (await typed.process.stdout.readline()).decode()):
            assert said
    return said


async def test_only_what_is_to_come_soon_counts() -> None:
    assert await coming("shop") is None
    other = await queued("api-gateway")
    later = await queued()
    await move(later, Scheduled(scheduled_time=datetime.now(UTC) + timedelta(days=2)))
    assert await coming("shop") is None
    assert await coming("api-gateway") == Coming(str(other.id), "api-gateway", "api-gateway v2", "Scheduled")


async def test_what_runs_comes_before_what_is_queued() -> None:
    await queued()
    second = await queued()
    await move(second, Running())
    found = await coming("shop")
    assert found is not None
    assert (found.id, found.state) == (str(second.id), "Running")


async def test_a_run_whose_release_is_over_is_not_waited_for_whatever_the_server_believes() -> None:
    zombie, waiting, later = await queued(), await queued(if_busy="wait"), await queued()
    await move(zombie, Running())
    page = f"http://prefect/runs/flow-run/{zombie.id}"
    assert await coming("shop", page) == Coming(str(waiting.id), "shop", "shop v2", "Scheduled")
    await move(waiting, Running())
    await move(later, Running())
    found = await coming("shop", f"http://prefect/runs/flow-run/{later.id}")
    assert found is not None
    assert found.id == str(waiting.id), "the one that waits for its turn began before, and is still to come"
    await give_up(waiting)
    assert await coming("shop", f"http://prefect/runs/flow-run/{later.id}") is None
    assert await coming("shop") is not None


@pytest.mark.parametrize("here", [True, False])
async def test_a_run_that_is_given_up_is_begun_by_nobody(here: bool) -> None:
    run = await queued(here=here)
    await give_up(run)
    state = await state_of(str(run.id))
    assert state is not None
    assert state.name == "Cancelled"


async def test_submitted_without_a_worker_says_so_and_how_to_start_one(folders: Folders, server: PrefectServer) -> None:
    assert await lacking() == "no worker of the work pool serinus is online"
    answer = await (await typed(folders, server, "release", "shop", "v2", "--submit")).answer()
    assert answer.code == 7
    assert "no worker of the work pool serinus is online: the run waits" in answer.out
    assert (
        f"PREFECT_API_URL={server.api} SERINUS_STATE={folders.state} prefect worker start --pool serinus" in answer.err
    )


async def test_watch_waits_for_what_is_queued_and_ends_as_its_release_does(
    folders: Folders, server: PrefectServer
) -> None:
    run = await queued()
    watching = await typed(folders, server, "watch", "shop")
    assert "no worker of the work pool serinus is online" in await line(watching, "waits for shop v2, ")
    record: Record = replace(ENDED, release="r2", run=f"{server.ui}/runs/flow-run/{run.id}", state=State.PROMOTED)
    kept = await FileLedger(folders, "shop").read()
    assert kept is not None
    await FileLedger(folders, "shop").write(replace(record, outcome=Outcome("all passed")), kept.version)
    answer = await watching.answer()
    assert answer.code == 0
    assert "promoted: all passed" in answer.out
    assert "31 %" not in answer.out


async def test_watch_ends_with_a_run_that_ends_without_a_release(folders: Folders, server: PrefectServer) -> None:
    run = await queued()
    watching = await typed(folders, server, "watch", "shop")
    await line(watching, "waits for shop v2, ")
    await move(run, Cancelled(message="not today"))
    answer = await watching.answer()
    assert answer.code == 3
    assert "shop v2 ended without a release: Cancelled: not today" in answer.err


async def test_watch_tells_the_last_one_where_nothing_is_queued(folders: Folders, server: PrefectServer) -> None:
    answer = await (await typed(folders, server, "watch", "shop")).answer()
    assert answer.code == 4
    assert "nothing of shop is going, and nothing of it is queued; its last release:" in answer.out
    assert "31 % > 5 %" in answer.out


async def test_ctrl_c_before_anything_was_recorded_says_that_nothing_had_begun(
    folders: Folders, server: PrefectServer
) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)  # so that no run can be begun, and end, before the key is pressed
    try:
        release = await typed(folders, server, "release", "shop", "v2")
        await line(release, "asking the Prefect server to begin shop v2")
        release.press()
    finally:
        server.process.send_signal(signal.SIGCONT)
    answer = await release.answer()
    assert answer.code == 3, answer.err
    # Where the run is quicker than the key it has refused itself by then: there is no platform.
    assert "nothing had begun" in answer.err or "before anything was touched" in answer.err
    assert "server on" not in answer.err, "it asks the server that was named, and starts none of its own"
    async with get_client() as client:
        assert [run.state_name for run in await client.read_flow_runs()] in ([], ["Cancelled"], ["Refused"])


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")
@pytest.mark.parametrize(("state", "code"), [("Promoted", 0), ("RolledBack", 1)])
async def test_the_requests_that_are_documented_start_and_follow_a_release(
    server: PrefectServer, state: str, code: int
) -> None:
    page = Path("deployments/README.md").read_text()
    written = page.split("```bash\n")[1].split("```")[0].replace("sleep 5", "sleep 0.2")
    script = re.sub(r"^API=\S+", f"API={server.api}", written).replace("build 1234", os.urandom(4).hex())
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        while (run := await coming("shop")) is None:
            assert process.returncode is None, (await process.communicate())[1]
            await asyncio.sleep(0.1)
        async with get_client() as client:
            made = await client.read_flow_run(UUID(run.id))
        assert made.parameters == {"service": "shop", "version": "v2", "if_busy": "refuse"}
        kind = StateType.COMPLETED if state == "Promoted" else StateType.FAILED
        await move(made, PrefectState(type=kind, name=state, message="as it was said"))
        out, err = await process.communicate()
    assert (process.returncode, out.decode(), err) == (code, f"{state}: as it was said\n", b"")

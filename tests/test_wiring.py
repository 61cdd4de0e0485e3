"""What the wiring hands on besides the ports."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from serinus.ledgers.file import FileLedger
from serinus.local.platform import Platform, write_platform
from serinus.release.record import Previous, Record
from serinus.settings import Folders
from serinus.stores.process import identity_of
from serinus.wiring import AsPlanned, Run
from tests.fakes import a_world
from tests.flows.over_fakes import ports
from tests.metrics.demanding import serving
from tests.notifiers.notices import a_notice
from tests.release.builders import a_plan


def test_the_live_figures_are_where_the_platform_says(folders: Folders) -> None:
    run = Run(a_plan(), ports(a_world()), folders, "r1")
    assert run.pages() == {}
    me = identity_of(os.getpid())
    assert me is not None
    known = Platform(
        *(me.pid, me.start_time, me.boot_id, True, ("shop",)),
        prefect_api="http://p/api", prefect_ui="http://p", prometheus="http://m", envoy_admin="http://e",
        traffic={"shop": "http://t"}, scrape_seconds=1.0, logs="logs",
    )  # fmt: skip
    folders.state.mkdir(parents=True)
    write_platform(folders, known)
    assert run.pages() == {"Prometheus": "http://m", "Envoy": "http://e"}


async def test_a_guard_tells_whom_the_release_s_policy_names(
    folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = FileLedger(folders, "shop")
    with serving(lambda asked: asked.say(204, b"")) as server:
        plan = a_plan()
        named = replace(plan, target=replace(plan.target, notify=("log", f"{server.url}/hook")))
        await ledger.write(Record("r1", 1, "me", named, Previous("v1", "v1", 3)), None)
        await AsPlanned(ledger).tell(a_notice("stable was changed", urgent=True))
    assert [json.loads(body)["text"] for body in server.bodies] == ["stable was changed"]
    assert "stable was changed" in caplog.text


async def test_without_any_release_a_guard_tells_the_log(folders: Folders, caplog: pytest.LogCaptureFixture) -> None:
    await AsPlanned(FileLedger(folders, "shop")).tell(a_notice("nobody owns it", urgent=True))
    assert "nobody owns it" in caplog.text

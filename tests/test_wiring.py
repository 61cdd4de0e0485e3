"""What the wiring hands on besides the ports."""

from __future__ import annotations

import os

from serinus.local.platform import Platform, write_platform
from serinus.settings import Folders
from serinus.stores.process import identity_of
from serinus.wiring import Run
from tests.fakes import a_world
from tests.flows.over_fakes import ports
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

"""What the wiring hands on besides the ports."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from serinus.adapters import AsPlanned
from serinus.errors import Refused, Unavailable
from serinus.ledgers.file import FileLedger
from serinus.ledgers.told import ToldLedger
from serinus.local.platform import Platform, write_platform
from serinus.moves.engine import KUBERNETES
from serinus.release.record import Previous, Record
from serinus.settings import Folders
from serinus.stores.process import identity_of
from serinus.wiring import LOCAL, Run, open_ports, plan_of, target_of
from serinus.workloads.kubernetes import KubernetesWorkload
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


async def test_a_guard_that_can_read_no_record_tells_whom_it_knows(folders: Folders) -> None:
    """Of a record that cannot be read, or is not there any more, a person must hear above all."""
    unreadable = folders.service("shop")
    unreadable.mkdir(parents=True)
    with serving(lambda asked: asked.say(204, b"")) as server:
        for ledger in (FileLedger(folders, "shop"), FileLedger(folders, "gone")):
            await AsPlanned(ledger, (f"{server.url}/hook",)).tell(a_notice("its record cannot be read", urgent=True))
    assert len(server.bodies) == 2


async def test_without_any_release_a_guard_tells_the_log(folders: Folders, caplog: pytest.LogCaptureFixture) -> None:
    await AsPlanned(FileLedger(folders, "shop")).tell(a_notice("nobody owns it", urgent=True))
    assert "nobody owns it" in caplog.text


ELSEWHERE = {
    "service": "api-gateway",
    "workload": {"kubernetes": {"namespace": "market", "deployment": "web", "container": "app"}},
    "telemetry": {"prometheus": {"url": "http://127.0.0.1:1"}},
    "preset": "plan",
}


@pytest.mark.parametrize(("router", "kind"), [("contour", "HTTPProxy"), ("gateway-api", "HTTPRoute")])
async def test_a_deployment_s_release_is_kept_beside_it_and_asks_no_local_platform(
    router: str, kind: str, folders: Folders, a_kubeconfig: None
) -> None:
    plan = plan_of("api-gateway", "v2", {**ELSEWHERE, "router": router})
    async with open_ports("api-gateway", folders, plan) as ports:
        assert isinstance(ports.workload, KubernetesWorkload)
        assert isinstance(ports.ledger, ToldLedger)
        assert str(ports.router) == f"{kind} market/api-gateway"
        with pytest.raises(Unavailable, match="get deployments.apps web in namespace market: no connection"):
            await ports.workload.stable()
    run = Run(plan, ports, folders, "r1")
    assert (run.timing, run.pages()) == (KUBERNETES, {"Prometheus": "http://127.0.0.1:1"})


UNUSABLE = [("ca", "/nowhere/ca.pem", "CA file /nowhere/ca.pem"), ("token", "one\ntwo", "the token cannot be sent")]


@pytest.mark.parametrize(("key", "value", "why"), UNUSABLE)
async def test_who_returns_traffic_needs_no_prometheus_that_can_be_reached_from_here(
    key: str, value: str, why: str, folders: Folders, a_kubeconfig: None
) -> None:
    plan = plan_of("api-gateway", "v2", {**ELSEWHERE, "router": "contour"})
    target = replace(plan.target, telemetry_options={**plan.target.telemetry_options, key: value})
    async with open_ports("api-gateway", folders, target=target) as ports:
        with pytest.raises(Unavailable, match=why):
            await ports.metrics.read()
    with pytest.raises(Refused, match=why):
        async with open_ports("api-gateway", folders, replace(plan, target=target)):
            pass


async def test_a_context_that_is_not_there_is_named(folders: Folders, a_kubeconfig: None) -> None:
    there = {"kubernetes": {"namespace": "market", "context": "prod"}}
    plan = plan_of("api-gateway", "v2", {**ELSEWHERE, "workload": there, "router": "contour"})
    with pytest.raises(Refused, match="prod"):
        async with open_ports("api-gateway", folders, plan):
            pass


def test_a_service_of_the_local_platform_is_there_whatever_its_policy_says(folders: Folders) -> None:
    assert target_of("api-gateway", folders).workload == "kubernetes"
    folders.service("api-gateway").mkdir(parents=True)
    assert target_of("api-gateway", folders).workload == "local"
    assert target_of("nobody", folders) == LOCAL
    folders.service("nobody").mkdir(parents=True)
    assert target_of("nobody", folders) == LOCAL


@pytest.fixture
def a_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cluster, where nobody answers."""
    cluster, context = {"server": "http://127.0.0.1:1"}, {"cluster": "here", "user": "me"}
    said = {
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": context}],
        "current-context": "here",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(said))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("serinus.kube.connecting.KUBE_CONFIG_DEFAULT_LOCATION", str(path))

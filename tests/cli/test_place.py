"""Where a service is that a person names without a place: on the Kubernetes that runs here, where that has a record of it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serinus.cli.failure import Usage
from serinus.cli.place import meant
from serinus.kube import names, news
from serinus.local.platform import OnKubernetes, Platform, write_platform
from serinus.release.plan import Target
from serinus.release.record import Record, to_json
from serinus.settings import Folders
from serinus.stores.process import identity_of
from tests.kube.test_client import NOT_FOUND, a_server
from tests.release.builders import a_release

THERE = Target(
    workload="kubernetes",
    router="contour",
    source="contour",
    workload_options={"namespace": "demo", "deployment": "shop", "service": "shop", "context": "theirs"},
    router_options={"proxy": "shop"},
    telemetry_options={},
    notify=(),
)


def a_record() -> Record:
    record = a_release().record
    return replace(record, plan=replace(record.plan, service="shop", target=THERE))


def a_platform(kubeconfig: Path, *, ready: bool = True) -> Platform:
    """One on Kubernetes whose supervisor is this process."""
    me = identity_of(os.getpid())
    assert me is not None
    known = OnKubernetes(str(kubeconfig), "kubectl", "demo", "shop.localhost", "shop.yaml", "cluster")
    here = "http://127.0.0.1:1"
    return Platform(
        *(me.pid, me.start_time, me.boot_id, ready, ()),
        prefect_api=f"{here}/api",
        prefect_ui=here,
        prometheus=here,
        envoy_admin=here,
        traffic={"shop": here},
        scrape_seconds=1.0,
        logs="logs",
        kubernetes=known,
    )


def running(folders: Folders, kubeconfig: Path, *, ready: bool = True) -> None:
    """A platform's file as its supervisor would write it."""
    folders.state.mkdir()
    write_platform(folders, a_platform(kubeconfig, ready=ready))


def a_config_map(namespace: str) -> dict[str, Any]:
    record = a_record()
    metadata = {"name": names.record_name("shop"), "namespace": namespace, "resourceVersion": "1"}
    said = {**names.labels("shop", record.release), **news.labels(record)}
    return {"metadata": {**metadata, "labels": said}, "data": {"record": to_json(record).decode()}}


@asynccontextmanager
async def a_cluster(folder: Path, *namespaces: str) -> AsyncIterator[Path]:
    """Its kubeconfig: an API server that has a record of `shop` in each of these namespaces, and nothing else."""
    kept = {f"/api/v1/namespaces/{each}/configmaps/serinus-shop": a_config_map(each) for each in namespaces}

    def answer(request: str) -> tuple[int, bytes]:
        path = request.split()[1].partition("?")[0]
        if path == "/api/v1/configmaps":
            return 200, json.dumps({"metadata": {}, "items": list(kept.values())}).encode()
        return (200, json.dumps(kept[path]).encode()) if path in kept else (404, NOT_FOUND)

    async with a_server(answer, folder):
        yield folder / "kubeconfig"


@pytest.fixture(autouse=True)
def _no_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody has said which cluster is meant."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr("serinus.kube.connecting.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "nowhere"))


@pytest.mark.parametrize("service", ["shop", ""])
@pytest.mark.parametrize(
    ("namespaces", "meant_one"), [(("demo",), "demo"), (("market", "demo"), "demo"), (("market",), "market")]
)
async def test_the_kubernetes_that_runs_here_is_meant_where_it_has_the_record(
    service: str, namespaces: tuple[str, ...], meant_one: str, folders: Folders, tmp_path: Path
) -> None:
    async with a_cluster(tmp_path, *namespaces) as kubeconfig:
        running(folders, kubeconfig)
        found = await meant(service, folders)
    options = found["shop"].workload_options
    assert (options["namespace"], options["kubeconfig"]) == (meant_one, str(kubeconfig))
    assert "context" not in options


async def test_several_namespaces_are_named_for_a_person_to_choose(folders: Folders, tmp_path: Path) -> None:
    async with a_cluster(tmp_path, "market", "fair") as kubeconfig:
        running(folders, kubeconfig)
        with pytest.raises(Usage, match="--namespace fair or market, with KUBECONFIG="):
            await meant("shop", folders)


async def test_a_namespace_is_one_of_it_where_no_kubeconfig_says_otherwise(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_cluster(tmp_path, "market", "fair") as kubeconfig:
        running(folders, kubeconfig)
        options = (await meant("shop", folders, "market"))["shop"].workload_options
        assert (options["namespace"], options["kubeconfig"]) == ("market", str(kubeconfig))
        other = tmp_path / "other"
        other.write_text(kubeconfig.read_text())
        monkeypatch.setenv("KUBECONFIG", str(other))
        assert "kubeconfig" not in (await meant("shop", folders, "market"))["shop"].workload_options


async def test_without_a_record_there_it_is_said_where_was_looked(folders: Folders, tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as kubeconfig:
        running(folders, kubeconfig)
        with pytest.raises(Usage, match="namespace demo has no record of a release of shop"):
            await meant("shop", folders)
        with pytest.raises(Usage, match="namespace demo has no record of a release"):
            await meant("", folders)


async def test_what_it_does_not_have_is_where_it_would_be_without_it(folders: Folders, tmp_path: Path) -> None:
    async with a_cluster(tmp_path, "demo") as kubeconfig:
        running(folders, kubeconfig)
        route = folders.service("till") / "route"
        route.mkdir(parents=True)
        assert (await meant("till", folders))["till"].workload == "local"


async def test_one_that_is_not_ready_is_not_asked(folders: Folders, tmp_path: Path) -> None:
    running(folders, tmp_path / "none", ready=False)
    with pytest.raises(Usage, match="--namespace one of Kubernetes"):
        await meant("shop", folders)

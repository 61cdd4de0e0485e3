"""Where a service is that was released, found without a policy of it: on this machine, by its deployed policy, in our own namespace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from serinus.errors import PreflightError, Unavailable
from serinus.ground import located
from serinus.release.plan import Target
from serinus.release.record import Previous, Record, to_json
from serinus.settings import Folders
from serinus.wiring import LOCAL, resume
from tests.kube.test_client import a_kubeconfig
from tests.metrics.demanding import Asked, serving
from tests.release.builders import a_plan

OPTIONS = {"deployment": "web", "service": "web", "autoscaler": "web"}
WRITTEN = Target(
    *("kubernetes", "contour", "contour"),
    workload_options={**OPTIONS, "namespace": "shop", "context": "a-laptop's"},
    router_options={"proxy": "front"},
    telemetry_options={"url": "http://127.0.0.1:1", "token": "${NOT_SET_HERE}"},
    notify=("${NOT_SET_HERE}",),
)
"""By somebody with a kubeconfig and an environment of their own: returning the traffic needs neither."""
MISSING = json.dumps({"kind": "Status", "reason": "NotFound", "details": {"name": "serinus-shop"}}).encode()
NAMED = "agentaskit-production"
"""By `deployments/policies/api-gateway.yaml`."""
REACHED = {**OPTIONS, "namespace": "shop"}


def kept(namespace: str, service: str) -> Callable[[Asked], None]:
    """An API server with one record."""
    plan = replace(a_plan(), service=service, target=WRITTEN)
    record = to_json(Record("r1", 1, "me", plan, Previous("v1", "v1", 3))).decode()
    found = {"metadata": {"name": f"serinus-{service}", "resourceVersion": "7"}, "data": {"record": record}}

    def answer(asked: Asked) -> None:
        there = asked.path.split("?")[0] == f"/api/v1/namespaces/{namespace}/configmaps/serinus-{service}"
        asked.say(200, json.dumps(found).encode()) if there else asked.say(404, MISSING)

    return answer


@pytest.fixture
def reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """A kubeconfig whose namespace is `shop`; the server that it names has a record where it is said to have one."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with serving(lambda asked: asked.say(404, b"{}")) as server:
        file = a_kubeconfig(tmp_path, int(server.url.rpartition(":")[2]))
        monkeypatch.setenv("KUBECONFIG", str(file))

        def has(namespace: str, service: str) -> None:
            server.behave = kept(namespace, service)

        yield has


async def test_what_this_machine_has_is_meant_first(folders: Folders, reach: Callable[[str, str], None]) -> None:
    reach("shop", "shop")
    (folders.service("shop") / "route").mkdir(parents=True)
    assert await located("shop", folders) == LOCAL


@pytest.mark.parametrize("service", ["shop", "nobodys-policy"])
async def test_a_record_in_our_own_namespace_is_found_without_a_policy(
    service: str, folders: Folders, reach: Callable[[str, str], None]
) -> None:
    """`shop` has a policy beside the deployment, the demo's: it is about a local platform, and there is none here."""
    reach("shop", service)
    target = await located(service, folders)
    assert target == replace(WRITTEN, workload_options=REACHED)
    async with resume(service, target, folders) as run:
        assert (run.release, run.plan.version, run.plan.target) == ("r1", "v2", target)


async def test_a_namespace_that_is_named_is_meant(folders: Folders, reach: Callable[[str, str], None]) -> None:
    reach("market", "shop")
    (folders.service("shop") / "route").mkdir(parents=True)
    assert (await located("shop", folders, "market")).workload_options["namespace"] == "market"


async def test_a_deployed_policy_says_where_before_we_look_in_our_own(
    folders: Folders, reach: Callable[[str, str], None]
) -> None:
    reach(NAMED, "api-gateway")
    target = await located("api-gateway", folders)
    assert target.workload_options["namespace"] == NAMED
    assert target.router_options == {"proxy": "front"}, "as its release was planned"


@pytest.mark.parametrize("namespace", ["", "market"])
async def test_nobody_knows_of_it(namespace: str, folders: Folders, reach: Callable[[str, str], None]) -> None:
    reach("elsewhere", "shop")
    where = namespace or "shop"
    with pytest.raises(PreflightError, match=f"service shop: namespace {where} has no record of a release; name its"):
        await located("shop", folders, namespace)


async def test_where_no_cluster_is_known_that_is_said(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(PreflightError, match=r"its record was not found: there is no kubeconfig at .*/none"):
        await located("shop", folders)


async def test_a_cluster_that_does_not_answer_is_asked_again(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(a_kubeconfig(tmp_path, 9)))
    with pytest.raises(Unavailable, match="no connection"):
        await located("shop", folders)

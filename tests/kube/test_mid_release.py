"""What happens to stable and canary while users are served: edits by hand, evictions, a full quota, a namespace that goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from serinus.errors import Fenced, PlatformError, Unavailable
from serinus.moves.ask import ask, new_ask
from serinus.moves.engine import Engine
from serinus.moves.finish import finish
from serinus.moves.promote import promote
from serinus.moves.roll_back import roll_back
from serinus.moves.set_weight import set_weight
from serinus.moves.start import start
from serinus.moves.take_over import reopen
from serinus.release.lifecycle import Step
from serinus.release.record import State, Verb
from serinus.release.weight import NOTHING
from tests.cluster.access import Access
from tests.kube.test_release import QUICK, STABLE, Users, acquired, holds, leftovers, users
from tests.moves.driver import carry_out, watch
from tests.routers.on_kubernetes import FORMS
from tests.workloads.on_kubernetes import a_deployment, a_service
from tests.workloads.test_rights import SCALING, granted

pytestmark = pytest.mark.cluster
SECONDS = 30.0
LONG = [{"weight": weight, "soak": "60s"} for weight in ("50%", "100%")]
NAME = "shop-" + "s" * 58
"""As long as a Service's may be."""
MOUNTED = [{"name": "conf", "configMap": {"name": "conf"}}]
TEMPLATE: dict[str, Any] = {"containers": [STABLE], "volumes": MOUNTED}
BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "mine"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "shop"}}},
}


def conf(text: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"a": text}}


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.25)


def called(space: Access, name: str) -> dict[str, Any]:
    """An HTTPProxy whose service has that name."""
    made: dict[str, Any] = FORMS["contour"].object(f"{space.namespace}.example")
    made["spec"]["routes"][1]["services"][0]["name"] = name
    return made


@asynccontextmanager
async def served(space: Access, folder: Path, *objects: Mapping[str, Any]) -> AsyncIterator[Users]:
    """A Deployment `shop` or the one given, behind Contour, with users who have been counted."""
    granted(space, folder)
    own = objects or (conf("1"), a_deployment(**TEMPLATE), a_service(), called(space, "shop"))
    space.apply(a_service("files"), *own)
    counted = f'envoy_cluster_upstream_rq_completed{{envoy_cluster_name=~"{space.namespace}_shop.*_80"}} > 0'
    async with users(space.cluster.ingress, f"{space.namespace}.example") as asked:
        await holds(space.cluster.prometheus, counted)
        yield asked


@asynccontextmanager
async def going(
    space: Access, folder: Path, version: str = "v1.1", phases: Any = LONG, **otherwise: Any
) -> AsyncIterator[tuple[Engine, asyncio.Task[None]]]:
    """A release whose first weight is set, going on by itself."""
    async with acquired(space, "contour", version, folder, phases=phases, **otherwise) as (engine, template):
        task = asyncio.ensure_future(carry_out(engine, template))
        try:
            await until(lambda: task.done() or engine.record.tally.weights)
            yield engine, task
        finally:
            task.cancel()
            await asyncio.wait({task})


def image(space: Access, deployment: str, version: str) -> None:
    space.kubectl("set", "image", f"deployment/{deployment}", f"shop=ghcr.io/acme/shop:{version}")


FULL = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}}
"""No pod more."""
EDITS: dict[str, tuple[Callable[[Access], object], str, str]] = {
    "stable": (lambda space: image(space, "shop", "v1.2"), "stable", "stable was changed by kubectl-set at 20"),
    "config": (lambda space: space.apply(conf("2")), "stable", "ConfigMap/conf of stable was changed by somebody"),
    "canary": (
        lambda space: image(space, "shop-canary", "v1.2"),
        "pods",
        "the canary was changed by kubectl-set at 20",
    ),
    "deleted": (
        lambda space: space.kubectl("delete", "deployment", "shop-canary"),
        "pods",
        "the canary workload is gone",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
async def test_what_somebody_changes_ends_the_release(edit: str, space: Access, tmp_path: Path) -> None:
    change, gate, why = EDITS[edit]
    async with served(space, tmp_path) as asked, going(space, tmp_path) as (engine, task):
        change(space)
        await asyncio.wait_for(task, SECONDS)
        record = engine.record
        assert record.state is State.ROLLED_BACK
        assert record.outcome is not None
        assert record.outcome.gate == gate
        assert why in record.outcome.why
        assert (await engine.ports.router.read()).mark is None
    runs = space.get("deployment", "shop")["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
    assert runs == ("v1.2" if edit == "stable" else "v1.0")
    assert leftovers(space) == []
    assert asked.failed <= (60 if edit == "deleted" else 0), asked.seen


async def test_a_large_deployment_is_guarded_promoted_and_put_back(space: Access, tmp_path: Path) -> None:
    beside = {"name": "beside", "image": "pause:3.10"}
    first = {"name": "first", "image": "busybox:1.36", "command": ["true"]}
    deployment = a_deployment(NAME, containers=[beside, STABLE], initContainers=[first], volumes=MOUNTED)
    ports = [{"name": "admin", "port": 81, "targetPort": 8080}, {"name": "http", "port": 80, "targetPort": "http"}]
    scaling = {**SCALING, "metadata": {"name": NAME}}
    scaling["spec"] = {**SCALING["spec"], "scaleTargetRef": {**SCALING["spec"]["scaleTargetRef"], "name": NAME}}
    own = conf("1"), deployment, a_service(NAME, ports=ports), called(space, NAME), BUDGET, scaling
    workload = {"namespace": space.namespace, "deployment": NAME, "container": "shop"}
    how: dict[str, Any] = {"workload": {"kubernetes": workload}, "phases": [{"weight": "100%", "soak": "8s"}]}
    async with (
        served(space, tmp_path, *own) as asked,
        acquired(space, "contour", "v1.1", tmp_path, **how) as (engine, template),
    ):
        assert (await start(engine, template)).step is Step.ADVANCE
        assert (await set_weight(engine, 0)).step is Step.ADVANCE
        assert space.get("hpa", NAME)["spec"]["minReplicas"] == 2
        pods, canary = canary_pods(space), own_budget(space)["metadata"]["name"]
        assert len(pods) == 2
        await until(lambda: own_budget(space)["status"].get("disruptionsAllowed") == 1)
        space.apply(FULL)  # nothing takes its place until the second was tried
        evict(space, pods[0])
        with pytest.raises(Unavailable, match="disruption budget"):
            evict(space, pods[1])
        space.kubectl("delete", "quota", "full")
        await until(lambda: space.get("deployment", canary)["status"].get("readyReplicas") == 2)
        space.kubectl("scale", f"deployment/{canary}", "--replicas=1")
        assert (await watch(engine)).step is Step.PROMOTE
        assert len(canary_pods(space)) == 2
        assert (await promote(engine)).step is Step.ADVANCE
        assert space.get("hpa", NAME)["spec"]["minReplicas"] == 2, "it goes by a load that the canary had"
        assert (await watch(engine)).step is Step.FINISH
        await finish(engine)
        assert asked.failed == 0, asked.seen
        assert images(space) == ["pause:3.10", "ghcr.io/acme/shop:v1.1"]
        assert [one["metadata"]["name"] for one in listed(space, "pdb")] == ["mine"]
        assert space.get("hpa", NAME)["spec"]["minReplicas"] == 1
        space.apply(conf("2"))
        again, action = await reopen(engine.ports, "another", "ann", "too slow", QUICK)
        await roll_back(again, action)
        assert again.record.outcome is not None
        assert again.record.outcome.why == (
            "rolled back by ann: too slow; ConfigMap/conf was changed by somebody since: left as it is"
        )
        assert images(space) == ["pause:3.10", "ghcr.io/acme/shop:v1.0"]
    assert asked.failed == 0, asked.seen


def listed(space: Access, kind: str, *words: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(space.kubectl("get", kind, "-o=json", *words))["items"]
    return items


def canary_pods(space: Access) -> list[str]:
    found = listed(space, "pods", "-lserinus.dev/canary")
    return [pod["metadata"]["name"] for pod in found if not pod["metadata"].get("deletionTimestamp")]


def own_budget(space: Access) -> dict[str, Any]:
    return next(one for one in listed(space, "pdb") if one["metadata"]["name"] != "mine")


def images(space: Access) -> list[str]:
    return [one["image"] for one in space.get("deployment", NAME)["spec"]["template"]["spec"]["containers"]]


def evict(space: Access, pod: str) -> None:
    """As draining a node does."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": space.namespace}}
    path = f"/api/v1/namespaces/{space.namespace}/pods/{pod}/eviction"
    space.kubectl("create", "--raw", path, "-f", "-", given=json.dumps(body))


async def test_pods_that_do_not_come_are_the_reason_in_their_own_words(space: Access, tmp_path: Path) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "3"}}}
    async with served(space, tmp_path) as asked:
        for version, words in (("v99", "ErrImagePull"), ("v2-crash", "payment.url")):
            async with acquired(space, "contour", version, tmp_path) as (engine, template):
                action = await start(engine, template)
                assert (action.step, action.gate) == (Step.ROLL_BACK, "pods")
                assert words in action.why
                await roll_back(engine, action)
                assert engine.record.tally.weights[:-1] == ()
        async with going(
            space, tmp_path, phases=[{"weight": "50%", "soak": "4s"}, {"weight": "100%", "soak": "60s"}]
        ) as (
            engine,
            task,
        ):
            space.apply(quota)
            await asyncio.wait_for(task, SECONDS)
            record = engine.record
        assert record.outcome is not None
        assert "exceeded quota: full" in record.outcome.why
        assert [percent for _, percent in record.tally.weights] == [50, 0]
        assert asked.failed == 0, asked.seen


async def test_an_abort_with_nobody_ready_in_stable_gives_it_the_traffic_and_says_so(
    space: Access, tmp_path: Path
) -> None:
    async with served(space, tmp_path), going(space, tmp_path) as (engine, task):
        space.kubectl("scale", "deployment/shop", "--replicas=0")
        await until(lambda: not space.get("deployment", "shop")["status"].get("readyReplicas"))
        await ask(engine.ports, new_ask(Verb.ABORT, "ann"))
        await asyncio.wait_for(task, SECONDS)
        assert engine.record.outcome is not None
        assert engine.record.outcome.why.endswith("; stable shop has 0 of 0 ready")
        assert (await engine.ports.router.read()).weight == NOTHING


async def test_a_namespace_that_is_deleted_takes_every_right_with_it_and_the_trying_says_so(
    space: Access, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has no right left cannot know that there is nothing left: the release is not said to have ended then."""
    async with served(space, tmp_path), going(space, tmp_path) as (engine, task):
        space.delete()
        await until(lambda: task.done() or "of `shop` still goes to the canary and nothing can change" in caplog.text)
        if task.done() and task.exception() is None:  # canary or route went before the record and the rights did
            assert engine.record.state is State.ROLLED_BACK
            assert engine.record.outcome is not None
            assert engine.record.outcome.why.endswith((" is gone", " was deleted"))
        elif task.done():  # the record went before the rights did
            assert isinstance(task.exception(), (Fenced, PlatformError))
            said = str(task.exception())
            assert "shop" in said or ("front in namespace" in said and "401" in said)
        else:
            assert "the right to" in caplog.text or "401" in caplog.text

"""What is a number of pods' alone: others' hands on the canary's Deployment, rights, and a Service that does not select both."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serinus.clock import SystemClock
from serinus.errors import Conflict, Refused
from serinus.kube.connecting import connect
from serinus.kube.named import Named
from serinus.kube.seen import Seen
from serinus.moves.close import close_once
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING, Weight
from serinus.routers.replicas import ReplicasRouter
from serinus.workloads.kubernetes import KubernetesWorkload
from tests.cluster.access import Access
from tests.routers.by_pods import Pods, some_pods
from tests.workloads.on_kubernetes import a_service
from tests.workloads.test_rights import SCALING, granted

pytestmark = pytest.mark.cluster


@pytest.fixture
async def pods(space: Access) -> AsyncIterator[Pods]:
    async with some_pods(space) as made:
        yield made


def a_mark(percent: float = 0, mode: Mode = Mode.OPEN, seq: int = 1) -> Mark:
    return Mark("r-1", 1, seq, mode, Weight.of(percent), "because")


async def test_what_others_write_there_survives_and_stops_no_write(pods: Pods) -> None:
    route = await pods.router.write(a_mark(20), await pods.router.read())
    pods.space.kubectl("label", "deployment", "shop-canary", "team=blue")
    pods.space.kubectl("annotate", "deployment", "shop-canary", "seen=yes")
    pods.space.kubectl("scale", "deployment", "shop", "--replicas=5")
    assert await pods.router.read() == route, "what a weight is was settled when the release began"
    route = await pods.router.write(a_mark(50, seq=2), route)
    assert pods.seen()["spec"]["replicas"] == 4
    workload = KubernetesWorkload(pods.kube, Seen(pods.kube), Named("shop", ""))
    scaled = await workload.put_canary("r-1", await workload.template_for("v1.1", await workload.stable()), 1)
    assert scaled.replicas == 4, "the number of pods is the router's alone to write"
    await pods.router.restore("", route)
    left = pods.seen()["metadata"]
    assert (left["labels"]["team"], left["annotations"]["seen"]) == ("blue", "yes")
    assert pods.space.get("deployment", "shop")["spec"]["replicas"] == 5


async def test_a_mark_that_somebody_takes_off_is_seen_and_stops_a_raise(pods: Pods) -> None:
    opened = await pods.router.write(a_mark(20), await pods.router.read())
    pods.space.kubectl("annotate", "deployment", "shop-canary", "serinus.dev/shop-")
    with pytest.raises(Conflict):
        await pods.router.write(a_mark(50, seq=2), opened)
    route = await pods.router.read()
    assert (route.weight, route.mark) == (Weight.of(20), None)
    await close_once(pods.router, SystemClock(), "r-1", "its mark is gone")
    closed = await pods.router.read()
    assert closed.mark is not None
    assert (closed.weight, closed.mark.mode) == (NOTHING, Mode.CLOSED)


async def test_who_would_not_be_selected_or_is_scaled_by_others_is_told_before(pods: Pods) -> None:
    pods.space.apply(a_service(selector={"app": "shop", "color": "green"}))
    with pytest.raises(Refused, match="selects app=shop,color=green, which stable's pods are not"):
        await pods.router.rehearse_close()
    pods.space.apply(a_service(), SCALING)
    await pods.router.rehearse_close()
    workload = KubernetesWorkload(pods.kube, Seen(pods.kube), Named("shop", "", autoscaler="shop"))
    found = await workload.findings(await workload.template_for("v1.1", await workload.stable()), 4)
    ends_at_once = ("Deployment shop", False)  # it has no preStop, so that a test is quick
    assert [(one.where, one.fatal) for one in found] == [("HorizontalPodAutoscaler shop", True), ends_at_once]
    assert "may scale shop from 4 to 5 pods" in found[0].what


@pytest.mark.parametrize(
    ("role", "resource", "verb", "missing"),
    [
        ("serinus-release", "deployments", "patch", "patch deployments.apps shop-canary"),
        ("serinus-route", "endpointslices", "list", "list endpointslices.discovery.k8s.io"),
    ],
)
async def test_a_missing_right_is_named_and_nothing_is_touched(
    role: str, resource: str, verb: str, missing: str, pods: Pods, tmp_path: Path
) -> None:
    granted(pods.space, tmp_path, "replicas")
    kubeconfig = str(pods.space.as_account("serinus", tmp_path).kubeconfig)
    await rehearsed(kubeconfig)
    rules = pods.space.get("role", role)["rules"]
    for rule in rules:
        if rule["resources"] == [resource]:
            rule["verbs"].remove(verb)
    given = json.dumps({"rules": [rule for rule in rules if rule["verbs"]]})
    pods.space.kubectl("patch", "role", role, "--type=merge", f"-p={given}")
    before = pods.seen()
    with pytest.raises(Refused, match=f"the right to {missing} .*is missing"):
        await rehearsed(kubeconfig)
    assert pods.seen() == before


async def rehearsed(kubeconfig: str) -> None:
    """By a process of its own, as each release has: one that had a right before waits for it."""
    kube = await connect(kubeconfig)
    try:
        await ReplicasRouter(kube, "shop", "shop", "shop").rehearse_close()
    finally:
        await kube.aclose()

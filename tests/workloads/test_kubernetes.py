"""What is a Deployment's alone: whom Services lead to, what is adopted and given back, pods' trouble, config, images, scale."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from serinus.errors import Conflict, Finding, Refused
from serinus.kube import canary_service
from serinus.kube.names import FOUND, canary_name
from serinus.kube.template import Template
from serinus.local.cluster.cluster import Cluster
from serinus.local.cluster.node.images import retag
from serinus.ports import Side
from serinus.release.record import Note
from tests.cluster.access import Access
from tests.workloads.on_kubernetes import CONTAINER, Shop, a_deployment, a_service, a_shop

pytestmark = pytest.mark.cluster
NOTE = Note("r-1", 1, "new")
SECONDS = 40.0


@pytest.fixture
async def shop(space: Access) -> AsyncIterator[Shop]:
    async with a_shop(space) as made:
        yield made


async def until(read: Callable[[], Awaitable[Side | None]], holds: Callable[[Side], object]) -> Side:
    """The side once that holds."""
    async with asyncio.timeout(SECONDS):
        while True:
            side = await read()
            if side is not None and holds(side):
                return side
            await asyncio.sleep(0.1)


async def settled(read: Callable[[], Awaitable[Side | None]]) -> Side:
    return await until(read, lambda side: side.settled)


async def a_canary(shop: Shop, release: str = "r-1", version: str = "v2", replicas: int = 1) -> str:
    """Put one there; its template."""
    template = await shop.workload.template_for(version, await shop.workload.stable())
    await shop.workload.put_canary(release, template, replicas)
    return template


async def test_a_deployment_that_is_not_there_is_asked_for_by_its_key(shop: Shop) -> None:
    shop.space.kubectl("delete", "deployment", "shop")
    async with asyncio.timeout(SECONDS):  # its watch tells of it
        while True:
            try:
                await shop.workload.stable()
            except Refused as cause:
                found = cause.finding("stable shop", "start it")
                break
    assert found.mend == "name yours in workload.kubernetes.deployment, or create it"


async def test_each_service_leads_to_its_own_pods_alone(shop: Shop) -> None:
    stable = await settled(shop.workload.stable)
    await a_canary(shop, replicas=2)
    canary = await settled(shop.workload.canary)
    async with asyncio.timeout(SECONDS):
        for service, side in (("shop-canary", canary), ("shop", stable)):
            while shop.served(service) != {pod.name for pod in side.pods}:
                await asyncio.sleep(0.1)
    assert {pod.version for pod in (await shop.workload.stable()).pods} == {"v1"}
    labels = shop.pods()[0]["metadata"]["labels"]
    assert (labels["app"], labels["tier"]) == ("shop-canary", "web")


async def test_a_canary_s_service_goes_with_it_unless_a_route_names_it(shop: Shop) -> None:
    await a_canary(shop)
    await shop.workload.remove_canary("r-1")
    assert shop.get("service", "shop-canary") is None
    await a_canary(shop, "r-2")
    await canary_service.routed(shop.workload._kube, "shop-canary")
    await shop.workload.remove_canary("r-2")
    assert shop.get("service", "shop-canary") is not None
    await a_canary(shop, "r-3")
    await settled(shop.workload.canary)
    async with asyncio.timeout(SECONDS):
        while not shop.served("shop-canary"):
            await asyncio.sleep(0.1)
    await shop.workload.remove_canary("r-3")
    await canary_service.remove(shop.workload._kube, "shop-canary", "r-3")
    assert shop.get("service", "shop-canary") is None
    await canary_service.remove(shop.workload._kube, "shop-canary", "r-3")


async def test_what_was_there_before_is_adopted_and_given_back_as_it_was(space: Access) -> None:
    labels = {"app": "shop", "track": "stable"}
    mine = a_deployment("shop-canary", {"app": "shop", "track": "canary"}, replicas=0)
    services = a_service(selector=labels), a_service("shop-canary", selector={"app": "shop", "track": "canary"})
    async with a_shop(space, a_deployment(labels=labels), mine, *services) as shop:
        before = [shop.get("deployment", "shop-canary"), shop.get("service", "shop-canary")]
        assert await shop.workload.canary() is None
        await shop.workload.remove_canary("r-0")
        template = await a_canary(shop)
        side = await settled(shop.workload.canary)
        assert (side.template, side.ready, side.version) == (template, 1, "v2")
        await shop.workload.put_canary("r-1", template, 2)
        await shop.workload.remove_canary("r-1")
        assert await shop.workload.canary() is None
        after = [shop.get("deployment", "shop-canary"), shop.get("service", "shop-canary")]
        for was, now in zip(before, after, strict=True):
            assert was is not None
            assert now is not None
            assert now["spec"] == was["spec"]
            assert FOUND not in now["metadata"].get("annotations", {})
            assert now["metadata"].get("labels") == was["metadata"].get("labels")


async def test_only_the_container_that_is_meant_gets_the_new_image(space: Access) -> None:
    beside = {"name": "beside", "image": "pause:3.10"}
    first = {"name": "first", "image": "busybox:1.36", "command": ["true"]}
    containers: dict[str, Any] = {"containers": [beside, CONTAINER], "initContainers": [first]}
    async with a_shop(space, a_deployment(replicas=1, **containers), a_service(), container="shop") as shop:
        seen = await settled(shop.workload.stable)
        template = await a_canary(shop)
        canary = await settled(shop.workload.canary)
        assert (canary.version, canary.template) == ("v2", template)
        await shop.workload.put_stable(canary.template, NOTE, seen)
        side = await settled(shop.workload.stable)
        assert {pod.version for pod in side.pods} == {"v2"}
        images = [one["image"] for one in Template.of(side.template).pod["spec"]["containers"]]
        assert images == ["pause:3.10", "ghcr.io/acme/shop:v2"]
    async with a_shop(space, a_deployment(replicas=1, **containers), a_service()) as unnamed:
        with pytest.raises(Refused, match="beside, shop: name the one"):
            await unnamed.workload.stable()


@pytest.mark.parametrize(
    ("version", "reason", "words"),
    [("v2-crash", "CrashLoopBackOff: Error, exit code 1", "payment.url"), ("v99", "ErrImagePull", "")],
)
async def test_a_pod_s_trouble_is_the_kubelet_s_word_with_its_last_lines(
    shop: Shop, version: str, reason: str, words: str
) -> None:
    await a_canary(shop, version=version)
    side = await until(shop.workload.canary, lambda side: any(reason in pod.trouble for pod in side.pods))
    assert not side.settled
    assert side.ready == 0
    assert words in side.pods[0].log


async def test_pods_that_cannot_be_made_are_told_of_by_their_deployment(shop: Shop) -> None:
    await settled(shop.workload.stable)
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "2"}}}
    shop.space.apply(quota)
    async with asyncio.timeout(SECONDS):
        while not (shop.get("resourcequota", "full") or {}).get("status", {}).get("hard"):
            await asyncio.sleep(0.1)
    await a_canary(shop)
    side = await until(shop.workload.canary, lambda side: side.pods)
    assert "exceeded quota: full" in side.pods[0].trouble
    assert side.ready == 0


async def test_a_template_is_another_when_what_it_mounts_has_changed(space: Access) -> None:
    def conf(text: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"a": text}}

    mounted = [
        {"name": "conf", "configMap": {"name": "conf"}},
        {"name": "key", "secret": {"secretName": "key", "optional": True}},
    ]
    async with a_shop(space, conf("1"), a_deployment(volumes=mounted), a_service()) as shop:
        seen = await settled(shop.workload.stable)
        template = await a_canary(shop)
        assert (await settled(shop.workload.canary)).template == template
        shop.patch("configmap", "conf", {"metadata": {"labels": {"a": "b"}}})
        assert (await shop.workload.stable()).template == seen.template
        space.apply(conf("2"))
        changed = await until(shop.workload.stable, lambda side: side.template != seen.template)
        assert changed.version == "v1"
        with pytest.raises(Conflict, match="not as it was read"):
            await shop.workload.put_stable(template, NOTE, seen)
        space.apply(conf("1"))
        await until(shop.workload.stable, lambda side: side.template == seen.template)
        assert await shop.workload.template_for("v2", seen) == template


async def test_what_others_scale_in_between_is_no_change_of_stable(shop: Shop) -> None:
    seen = await settled(shop.workload.stable)
    shop.space.kubectl("scale", "deployment/shop", "--replicas=3")
    await settled(shop.workload.stable)
    template = await shop.workload.template_for("v2", seen)
    await shop.workload.put_stable(template, NOTE, seen)
    side = await settled(shop.workload.stable)
    assert (side.version, side.replicas, side.note) == ("v2", 3, NOTE)
    shop.space.kubectl("set", "image", "deployment/shop", "shop=ghcr.io/acme/shop:v3")
    with pytest.raises(Conflict):
        await shop.workload.put_stable(seen.template, replace(NOTE, step="undone"), side)


async def test_a_tag_that_means_another_image_by_now_never_settles(own_cluster: Cluster, shop: Shop) -> None:
    seen = await settled(shop.workload.stable)
    template = await a_canary(shop, version="v2")
    await settled(shop.workload.canary)
    images = own_cluster.folder / "node" / "images.json"
    retag(images, "ghcr.io/acme/shop:v2", "v3")
    try:
        await shop.workload.put_stable(template, NOTE, seen)
        side = await until(shop.workload.stable, lambda side: any("OtherImage" in pod.trouble for pod in side.pods))
        assert not side.settled
        assert "what was analysed is sha256:" in next(pod.trouble for pod in side.pods if pod.trouble)
    finally:
        retag(images, "ghcr.io/acme/shop:v2", "v2")


async def test_a_canary_s_pod_of_a_tag_that_was_moved_is_not_what_was_analysed(
    own_cluster: Cluster, shop: Shop
) -> None:
    template = await a_canary(shop, version="v2")
    await settled(shop.workload.canary)
    images = own_cluster.folder / "node" / "images.json"
    retag(images, "ghcr.io/acme/shop:v2", "v3")
    try:
        await shop.workload.put_canary("r-1", template, 2)
        side = await until(shop.workload.canary, lambda side: any("OtherImage" in pod.trouble for pod in side.pods))
        assert [bool(pod.trouble) for pod in side.pods].count(True) == 1
        assert "what was analysed is sha256:" in next(pod.trouble for pod in side.pods if pod.trouble)
    finally:
        retag(images, "ghcr.io/acme/shop:v2", "v2")


async def test_an_autoscaler_takes_no_pods_away_while_a_canary_has_their_traffic(space: Access) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    scaling = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "shop"},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 5},
    }
    async with a_shop(space, a_deployment(), a_service(), scaling) as shop:

        def minimum() -> int:
            found = shop.get("hpa", "shop")
            assert found is not None
            return int(found["spec"]["minReplicas"])

        await a_canary(shop)
        assert minimum() == 2
        await a_canary(shop, replicas=2)
        await shop.workload.free_stable("another")
        await shop.workload.remove_canary("r-1")
        assert minimum() == 2, "stable has served everything for a moment only"
        await shop.workload.free_stable("r-1")
        assert minimum() == 1
        await a_canary(shop, "r-2")
        await shop.workload.remove_canary("r-2")  # and nobody sees its end
        await a_canary(shop, "r-3")
        shop.space.kubectl("scale", "deployment/shop-canary", "--replicas=0")
        await shop.workload.remove_canary("r-3")
        await shop.workload.free_stable("r-3")
        assert minimum() == 1
        await a_canary(shop, "r-4")
        shop.patch("hpa", "shop", {"spec": {"minReplicas": 3}})
        await shop.workload.remove_canary("r-4")
        await shop.workload.free_stable("r-4")
        assert minimum() == 3


async def test_a_canary_that_was_edited_by_hand_is_put_back_when_it_is_scaled(shop: Shop) -> None:
    template = await a_canary(shop)
    shop.space.kubectl("set", "image", "deployment/shop-canary", "shop=ghcr.io/acme/shop:v3")
    edited = await shop.workload.canary()
    assert edited is not None
    assert (edited.version, edited.template == template) == ("v3", False)
    await shop.workload.put_canary("r-1", template, 1)
    side = await settled(shop.workload.canary)
    assert (side.version, side.template) == ("v2", template)


async def test_names_of_63_characters(space: Access) -> None:
    name, release = "s" * 63, "r" * 63 + "-20261124-122658-abcd"
    deployment, service = a_deployment(name), a_service(name)
    async with a_shop(space, deployment, service, deployment=name, service=name, autoscaler=name) as shop:
        template = await a_canary(shop, release)
        side = await settled(shop.workload.canary)
        assert (side.release, side.template, side.ready) == (release, template, 1)
        assert shop.get("service", canary_name(name)) is not None
        await shop.workload.remove_canary(release)
        assert shop.get("deployment", canary_name(name)) is None


async def test_what_is_missing_is_named(space: Access) -> None:
    async with a_shop(space, a_deployment(), service="front") as shop:
        template = await shop.workload.template_for("v2", await shop.workload.stable())
        with pytest.raises(Refused, match="get services front in namespace test-"):
            await shop.workload.put_canary("r-1", template, 1)
        assert shop.get("deployment", "shop-canary") is None
        assert shop.pods() == []
    async with a_shop(space, a_service(), deployment="web") as other:
        with pytest.raises(Refused, match="get deployments.apps web in namespace test-"):
            await other.workload.stable()


async def told(shop: Shop, template: str) -> tuple[Finding, ...]:
    """But for the `preStop` that it lacks, so that a test is quick."""
    return tuple(one for one in await shop.workload.findings(template, 2) if "preStop" not in one.what)


async def test_who_would_leave_the_canary_out_is_told_before_it_is_made(shop: Shop) -> None:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "mine"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "shop"}}},
    }
    both = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "both"},
        "spec": {"podSelector": {"matchLabels": {"tier": "web"}}, "ingress": [{}]},
    }
    template = (await shop.workload.stable()).template
    assert await told(shop, template) == ()
    shop.space.apply(budget, both)
    (found,) = await told(shop, template)
    assert str(found).startswith("PodDisruptionBudget mine: selects stable's pods by app=shop and not the canary's")
    assert not found.fatal
    shop.patch("service", "shop", {"spec": {"selector": {"app": "another"}}})
    (fatal,) = await told(shop, template)
    assert fatal.fatal
    assert fatal.what == "selects app=another, which the pods of Deployment shop do not have"


async def test_a_service_called_otherwise_is_found_by_its_selector(shop: Shop) -> None:
    shop.space.apply(a_service("shop-web"))
    shop.space.kubectl("delete", "service", "shop")
    (found,) = await shop.workload.findings((await shop.workload.stable()).template, 2)
    assert (found.where, found.what, found.fatal) == ("Service shop", "it is not there", True)
    assert found.mend.startswith("name in workload.kubernetes.service shop-web,")


async def test_what_would_disturb_a_release_is_told_before_it_begins(shop: Shop) -> None:
    limits = {"hard": {"pods": "4"}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": limits}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    scaling = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "another"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 5},
    }
    web = {"selector": {"tier": "web"}}
    shop.space.apply(quota, scaling, a_service("legacy", **web), a_service("peers", **web, clusterIP="None"))
    shop.patch("deployment", "shop", {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "shop"}}})
    template = (await shop.workload.stable()).template
    async with asyncio.timeout(SECONDS):  # until the quota has counted
        while True:
            found = {one.where: one.fatal for one in await shop.workload.findings(template, 2)}
            if "ResourceQuota small" in found:
                break
    assert found == {
        "ResourceQuota small": True,
        "Service legacy": True,
        "Service peers": False,
        "HorizontalPodAutoscaler another": False,
        "Deployment shop": False,
    }
    assert await shop.workload.findings(None, 2) == ()

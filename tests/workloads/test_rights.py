"""The rights that `deployments/kubernetes` gives suffice for a canary from its first pod to its last, and none of them is too many."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from serinus.errors import Refused
from serinus.kube.client import DEPLOYMENT, POD, SERVICE, Kind, Kube
from serinus.kube.connecting import connect
from serinus.release.record import Note
from tests.cluster.access import Access
from tests.workloads.on_kubernetes import Shop, a_deployment, a_service, a_shop
from tests.workloads.test_kubernetes import a_canary, settled, until

pytestmark = pytest.mark.cluster
MANIFESTS = Path(__file__).parents[2] / "deployments" / "kubernetes"
CONF = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"a": "1"}}
KEY = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"password": "hunter2"}}
MOUNTED = [{"name": "conf", "configMap": {"name": "conf"}}, {"name": "key", "secret": {"secretName": "key"}}]
SCALING: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "shop"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        "minReplicas": 1,
        "maxReplicas": 5,
    },
}


def granted(space: Access, folder: Path, router: str = "contour", *, secrets: bool = False) -> None:
    """Apply the manifests as `docs` tells: the namespace written into the kustomization."""
    copied = folder / "kubernetes" / ("with" if secrets else "without")
    shutil.copytree(MANIFESTS, copied)
    file = copied / router / "kustomization.yaml"
    text = file.read_text().replace("namespace: default", f"namespace: {space.namespace}")
    if secrets:
        text = text.replace("# components:", "components:").replace("#   - ../secrets", "  - ../secrets")
    file.write_text(text)
    space.kubectl("apply", "-k", str(copied / router))


@asynccontextmanager
async def with_these_rights(space: Access, folder: Path) -> AsyncIterator[Shop]:
    there = (CONF, KEY, a_deployment(replicas=1, volumes=MOUNTED), a_service(), SCALING)
    async with a_shop(space, *there, access=space.as_account("serinus", folder)) as shop:
        yield shop


async def through(shop: Shop) -> None:
    """A canary comes, is scaled, fails, goes; stable gets its template."""
    workload = shop.workload
    seen = await settled(workload.stable)
    template = await a_canary(shop)
    await workload.put_canary("r-1", template, 2)
    await settled(workload.canary)
    await workload.put_stable(template, Note("r-1", 1, "new"), seen)
    await workload.remove_canary("r-1")
    await a_canary(shop, "r-2", version="v2-crash")
    failing = await until(workload.canary, lambda side: any(pod.log for pod in side.pods))
    assert "payment.url" in failing.pods[0].log
    await workload.remove_canary("r-2")
    assert shop.get("service", "shop-canary") is None


@pytest.mark.parametrize("router", ["contour", "gateway-api"])
async def test_they_suffice(router: str, space: Access, tmp_path: Path) -> None:
    granted(space, tmp_path, router)
    async with with_these_rights(space, tmp_path) as shop:
        await through(shop)


async def test_a_secret_counts_where_it_may_be_read_and_nothing_of_it_is_kept(space: Access, tmp_path: Path) -> None:
    granted(space, tmp_path)
    async with with_these_rights(space, tmp_path) as shop:
        unread = (await shop.workload.stable()).template
        assert '"Secret/key":"unread"' in unread
    granted(space, tmp_path, secrets=True)
    async with with_these_rights(space, tmp_path) as shop:
        read = (await shop.workload.stable()).template
        assert "unread" not in read
        assert "hunter2" not in read
        space.apply({**KEY, "stringData": {"password": "hunter3"}})
        assert (await shop.workload.stable()).template != read


RULES = [
    ("apps", "deployments", "get", "get deployments.apps shop"),
    ("apps", "deployments", "create", "create deployments.apps shop-canary"),
    ("apps", "deployments", "patch", "patch deployments.apps shop"),
    ("apps", "deployments", "delete", "delete deployments.apps shop-canary"),
    ("", "services", "get", "get services shop"),
    ("", "services", "create", "create services shop-canary"),
    ("", "services", "delete", "delete services shop-canary"),
    ("", "pods", "list", "list pods"),
    ("", "configmaps", "get", "get configmaps conf"),
    ("autoscaling", "horizontalpodautoscalers", "get", "get horizontalpodautoscalers.autoscaling shop"),
]


@pytest.mark.parametrize(("group", "resource", "verb", "missing"), RULES)
async def test_without_any_of_them_the_missing_one_is_named(
    group: str, resource: str, verb: str, missing: str, space: Access, tmp_path: Path
) -> None:
    granted(space, tmp_path)
    role = space.get("role", "serinus-release")
    for rule in role["rules"]:
        if (rule["apiGroups"], rule["resources"]) == ([group], [resource]):
            rule["verbs"].remove(verb)
    rules = [rule for rule in role["rules"] if rule["verbs"]]
    space.kubectl("patch", "role", "serinus-release", "--type=merge", f"-p={json.dumps({'rules': rules})}")
    async with with_these_rights(space, tmp_path) as shop:
        with pytest.raises(Refused, match=f"the right to {missing}.* in namespace {space.namespace} is missing"):
            await through(shop)


async def test_nothing_else_may_be_done(space: Access, tmp_path: Path) -> None:
    granted(space, tmp_path)
    account = space.as_account("serinus", tmp_path)
    elsewhere = await connect(str(account.kubeconfig), namespace="kube-system")
    here = await connect(str(account.kubeconfig), namespace=space.namespace)
    try:
        for verb in ("get", "list", "create", "patch", "delete"):
            assert not await elsewhere.may(verb, DEPLOYMENT)
        assert not await here.may("deletecollection", DEPLOYMENT)
        assert not await here.may("list", SERVICE)
        assert await allowed(here) == []
    finally:
        await elsewhere.aclose()
        await here.aclose()


async def allowed(kube: Kube) -> list[str]:
    """What of all this would be too much."""
    secret, role = Kind("", "v1", "secrets", "Secret"), Kind("rbac.authorization.k8s.io", "v1", "roles", "Role")
    asked = [(verb, kind, "") for kind in (secret, role) for verb in ("get", "list", "create", "patch")]
    asked += [("create", POD, "exec"), ("get", POD, "exec"), ("delete", POD, ""), ("create", POD, "")]
    return [f"{verb} {kind.plural}/{part}" for verb, kind, part in asked if await kube.may(verb, kind, part=part)]

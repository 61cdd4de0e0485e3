"""The rights that `deployments/kubernetes` gives suffice for a canary from its first pod to its last, and none of them is too many."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from serinus.errors import Refused
from serinus.kube.client import CONFIG_MAP, DEPLOYMENT, POD, Kind, Kube
from serinus.kube.connecting import connect
from serinus.kube.errors import role
from serinus.kube.rights import needed
from serinus.release.record import Note
from tests.cluster.access import Access
from tests.workloads.on_kubernetes import NAMED, Shop, a_deployment, a_service, a_shop
from tests.workloads.test_kubernetes import a_canary, settled, until

pytestmark = pytest.mark.cluster
MANIFESTS = Path(__file__).parents[2] / "deployments" / "kubernetes"
CONF = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"a": "1"}}
KEY = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"password": "hunter2"}}
MOUNTED = [{"name": "conf", "configMap": {"name": "conf"}}, {"name": "key", "secret": {"secretName": "key"}}]
SECRET, ROLE = Kind("", "v1", "secrets", "Secret"), Kind("rbac.authorization.k8s.io", "v1", "roles", "Role")
SERVICE_ACCOUNT = Kind("", "v1", "serviceaccounts", "ServiceAccount")
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
    ("apps", "deployments", "delete", "delete deployments.apps shop-canary"),
    ("", "services", "create", "create services shop-canary"),
]


@pytest.mark.parametrize(("group", "resource", "verb", "missing"), RULES)
async def test_without_any_of_them_the_missing_one_is_named(
    group: str, resource: str, verb: str, missing: str, space: Access, tmp_path: Path
) -> None:
    granted(space, tmp_path)
    role = space.get("role", "serinus-release")
    give(space, without(role["rules"], group, resource, verb))
    async with with_these_rights(space, tmp_path) as shop:
        with pytest.raises(Refused, match=f"the right to {missing}.* in namespace {space.namespace} is missing"):
            await through(shop)


def give(space: Access, rules: list[dict[str, Any]]) -> None:
    space.kubectl("patch", "role", "serinus-release", "--type=merge", f"-p={json.dumps({'rules': rules})}")


def without(rules: list[dict[str, Any]], group: str, resource: str, verb: str) -> list[dict[str, Any]]:
    """The same rules but for this one right."""

    def verbs(rule: dict[str, Any]) -> list[str]:
        meant = (rule["apiGroups"], rule["resources"]) == ([group], [resource])
        return [one for one in rule["verbs"] if not (meant and one == verb)]

    return [{**rule, "verbs": verbs(rule)} for rule in rules if verbs(rule)]


async def test_before_a_release_the_missing_one_is_named_and_nothing_is_touched(space: Access, tmp_path: Path) -> None:
    granted(space, tmp_path)
    rules = space.get("role", "serinus-release")["rules"]
    async with with_these_rights(space, tmp_path) as shop:
        assert await shop.workload.findings(None, 1) == ()
        for right in needed(NAMED):
            resource = f"{right.kind.plural}/{right.part}" if right.part else right.kind.plural
            give(space, without(rules, right.kind.group, resource, right.verb))
            async with asyncio.timeout(10):
                while f"the right to {right} is missing" not in str(told := await shop.workload.findings(None, 1)):
                    await asyncio.sleep(0.05)
            assert any(role(right.verb, right.resource) == found.mend and found.fatal is right.fatal for found in told)
        assert shop.get("deployment", "shop-canary") is None


async def test_nothing_else_may_be_done(space: Access, tmp_path: Path) -> None:
    granted(space, tmp_path)
    account = space.as_account("serinus", tmp_path)
    given = [rule for role in ("serinus-release", "serinus-route") for rule in space.get("role", role)["rules"]]
    everybody = granted_to(account, "kube-system")
    assert not {verb for verb, _, resource in everybody if not resource.startswith("self")}
    assert granted_to(account, space.namespace) - everybody == {
        (verb, group, resource)
        for rule in given
        for verb, group, resource in product(rule["verbs"], rule["apiGroups"], rule["resources"])
    }
    async with tried(account, "kube-system") as elsewhere, tried(account, space.namespace) as here:
        body = {"metadata": {"name": "x"}}
        for attempt in (
            elsewhere.select(CONFIG_MAP, ""),
            elsewhere.create(CONFIG_MAP, body),
            elsewhere.get(DEPLOYMENT, "x"),
            elsewhere.delete(POD, "x", "u"),
            here.delete(POD, "x", "u"),
            here.create(POD, body),
            here.get(SECRET, "key"),
            here.select(SECRET, ""),
            here.create(ROLE, body),
            here.select(SERVICE_ACCOUNT, ""),
            here.delete(CONFIG_MAP, "x", "u"),
        ):
            with pytest.raises(Refused, match="the right to .* is missing"):
                await attempt


def granted_to(account: Access, namespace: str) -> set[tuple[str, str, str]]:
    """Every verb, group and resource that the API server itself says this account has there."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    status = json.loads(account.kubectl("create", "--raw", path, "-f", "-", given=json.dumps(review)))["status"]
    assert not status["incomplete"]
    return {
        (verb, group, resource)
        for rule in status["resourceRules"]
        for verb, group, resource in product(rule["verbs"], rule["apiGroups"], rule["resources"])
    }


@asynccontextmanager
async def tried(account: Access, namespace: str) -> AsyncIterator[Kube]:
    kube = await connect(str(account.kubeconfig), namespace=namespace)
    try:
        yield kube
    finally:
        await kube.aclose()

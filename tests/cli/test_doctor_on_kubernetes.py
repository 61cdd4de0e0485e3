"""`serinus doctor` in a namespace in which everything is in the way of a canary: each is named, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from serinus.kube.client import Kind
from serinus.kube.missed import SERVICE_MONITOR
from serinus.kube.rivals import FLAGGER, ROLLOUT
from serinus.local.cluster import audit
from serinus.local.cluster.cluster import Cluster
from tests.cli.test_on_kubernetes import a_terminal
from tests.cluster.access import Access
from tests.kube.test_release import STABLE, policy
from tests.routers.by_pods import lasting
from tests.routers.on_kubernetes import FORMS
from tests.routers.running import until
from tests.workloads.on_kubernetes import a_deployment, a_service
from tests.workloads.test_rights import granted

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
ARGO_CD = {"argocd.argoproj.io/tracking-id": "market:apps/Deployment:market/shop"}
HELM = {"app.kubernetes.io/managed-by": "Helm"}
FOREIGN = (FLAGGER, ROLLOUT, SERVICE_MONITOR)
"""Kinds that a cluster has by others' installing."""
ASKED_WITH = {"selfsubjectaccessreviews.authorization.k8s.io", "selfsubjectrulesreviews.authorization.k8s.io"}


def definition(kind: Kind) -> dict[str, Any]:
    """As short as an API server takes it."""
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.resource},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"plural": kind.plural, "kind": kind.name},
            "versions": [{"name": kind.version, "served": True, "storage": True, "schema": anything}],
        },
    }


def an_object(api: str, kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}


def in_the_way() -> list[dict[str, Any]]:
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    shop = {"matchLabels": {"app": "shop"}}
    return [
        an_object("networking.k8s.io/v1", "NetworkPolicy", "inward", podSelector=shop),
        an_object("policy/v1", "PodDisruptionBudget", "some", minAvailable=1, selector=shop),
        an_object("autoscaling/v2", "HorizontalPodAutoscaler", "busy", scaleTargetRef=deployment, maxReplicas=4, metrics=[cpu]),
        an_object("v1", "ResourceQuota", "full", hard={"pods": "2"}),
        a_service("legacy", selector={"tier": "web"}),
        an_object(FLAGGER.api_version, FLAGGER.name, "theirs", targetRef=deployment),
        an_object(ROLLOUT.api_version, ROLLOUT.name, "theirs", workloadRef=deployment),
        an_object(SERVICE_MONITOR.api_version, SERVICE_MONITOR.name, "scraped", selector={"matchLabels": HELM}),
    ]  # fmt: skip


@pytest.fixture
async def foreign(own_cluster: Cluster, space: Access) -> AsyncIterator[None]:
    """They are there, and gone again before another test asks this cluster what it has."""
    resources = [kind.resource for kind in FOREIGN]
    space.apply(*map(definition, FOREIGN))
    space.kubectl("wait", "--for=condition=Established", *(f"crd/{resource}" for resource in resources))
    yield
    space.kubectl("delete", "crd", *resources)

    async def unknown() -> bool:
        known = space.kubectl("api-resources", "--no-headers", "--output=name").split()
        return not {*resources} & {*known}

    await until(unknown, "the API server knows nothing of them any more")


def as_written(space: Access) -> dict[str, Any]:
    """What people wrote of every object in the namespace that a release or its preflight has to do with; controllers go on telling."""
    kinds = "deployments,replicasets,services,configmaps,httpproxies,hpa,pdb,networkpolicies,resourcequotas"
    others = ",".join(kind.resource for kind in FOREIGN)
    items = json.loads(space.kubectl("get", f"{kinds},{others}", "-o=json"))["items"]
    return {f"{one['kind']} {one['metadata']['name']}": lasting(one) for one in items}


def marked(made: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    return {**made, "metadata": {**made["metadata"], **metadata}}


async def test_each_that_is_in_the_way_is_named_with_its_mend_and_nothing_is_written(
    own_cluster: Cluster, space: Access, tmp_path: Path, foreign: None
) -> None:
    granted(space, tmp_path)
    space.as_account("serinus", tmp_path)
    route = FORMS["contour"].object(f"{space.namespace}.example")
    space.apply(
        marked(a_deployment(containers=[STABLE]), annotations=ARGO_CD),
        marked(a_service(), labels=HELM),
        a_service("files"),
        marked(route, annotations=ARGO_CD),
    )
    space.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
    space.apply(*in_the_way())
    here = a_terminal(space, tmp_path)
    file = here.folder / "shop.yaml"
    file.write_text(json.dumps(policy(space, "contour", space.cluster.prometheus)))
    before = as_written(space)

    answer = await here.type("doctor", str(file), here=False)

    assert as_written(space) == before
    found = {item["what"].removeprefix("shop: "): item for item in answer.last["items"] if item["mend"]}
    for where, fatal in (
        ("NetworkPolicy inward", False),
        ("PodDisruptionBudget some", False),
        ("HorizontalPodAutoscaler busy", False),
        ("ResourceQuota full", True),
        ("Service legacy", True),
        ("Canary theirs (Flagger)", True),
        ("Rollout theirs (Argo Rollouts)", True),
        ("ServiceMonitor scraped", False),
        ("Deployment shop", False),
        ("HTTPProxy front", False),
    ):
        assert where in found, (where, sorted(found), answer.err)
        assert found[where]["fatal"] is fatal, found[where]
    calls = audit.calls(own_cluster.log(audit.LOG), "serinus", space.namespace)
    assert len(calls) > 10
    written = [call for call in calls if call.verb not in ("get", "list", "watch") and not call.tried]
    assert {(call.verb, call.resource) for call in written} <= {("create", resource) for resource in ASKED_WITH}
    assert {call.resource for call in calls if call.tried} == {"httpproxies.projectcontour.io"}, (
        "whether it could close"
    )

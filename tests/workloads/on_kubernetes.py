"""A Deployment of a user's own with its Service, on a real Kubernetes; nothing in it was made for releases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from serinus.kube.connecting import connect
from serinus.kube.named import Named
from serinus.kube.names import CANARY
from serinus.kube.seen import Seen
from serinus.workloads.kubernetes import KubernetesWorkload
from tests.cluster.access import Access

NAMED = Named("shop", "shop", autoscaler="shop")
LABELS = {"app": "shop", "tier": "web"}
PORTS = [{"name": "http", "containerPort": 8080}]
READINESS = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
ODD = [{"name": "WORDS", "value": "a && b > c <d> \u00fc \u2028"}]
"""Letters that JSON may be written with in more than one way."""
CONTAINER = {"name": "shop", "image": "ghcr.io/acme/shop:v1", "ports": PORTS, "readinessProbe": READINESS, "env": ODD}


@dataclass(frozen=True)
class Shop:
    """What a user has, and what is made of it.

    Args:
        space: its namespace, with every right
    """

    space: Access
    workload: KubernetesWorkload

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """None where there is none."""
        said = self.space.kubectl("get", kind, name, "-o=json", "--ignore-not-found")
        return json.loads(said) if said.strip() else None

    def patch(self, kind: str, name: str, merged: Mapping[str, Any]) -> None:
        """Somebody else's hand."""
        self.space.kubectl("patch", kind, name, "--type=merge", f"-p={json.dumps(merged)}")

    def pods(self, selector: str = CANARY) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self.space.kubectl("get", "pods", f"-l{selector}", "-o=json"))["items"]
        return items

    def served(self, service: str) -> set[str]:
        """Names of the pods that a Service leads to."""
        selector = f"-lkubernetes.io/service-name={service}"
        slices = json.loads(self.space.kubectl("get", "endpointslices", selector, "-o=json"))["items"]
        ends = [end for one in slices for end in one["endpoints"] or [] if end["conditions"]["ready"]]
        return {end["targetRef"]["name"] for end in ends}


def a_deployment(
    name: str = "shop", labels: Mapping[str, str] = LABELS, replicas: int = 2, **pod: Any
) -> dict[str, Any]:
    spec = {"containers": [CONTAINER], "terminationGracePeriodSeconds": 1} | pod
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "Helm"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(labels)},
            "template": {"metadata": {"labels": dict(labels)}, "spec": spec},
        },
    }


def a_service(name: str = "shop", **spec: Any) -> dict[str, Any]:
    wanted = {"selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": wanted}


@asynccontextmanager
async def a_shop(
    space: Access, *objects: Mapping[str, Any], access: Access | None = None, **named: str
) -> AsyncIterator[Shop]:
    """The workload of a Deployment `shop`, made here unless others are given.

    Args:
        access: whose rights the workload has; default: every right
        named: what is called otherwise
    """
    space.apply(*(objects or (a_deployment(), a_service())))
    kube = await connect(str((access or space).kubeconfig), namespace=space.namespace)
    seen = Seen(kube)
    yield Shop(space, KubernetesWorkload(kube, seen, replace(NAMED, **named)))
    await seen.aclose()
    await kube.aclose()

"""A route that is a number of pods, on a real Kubernetes: a Deployment of a user's own, its canary, the Service in front of both."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from serinus.kube.client import Kube
from serinus.kube.connecting import connect
from serinus.kube.named import Named
from serinus.kube.seen import Seen
from serinus.release.count import instances, share
from serinus.release.weight import Weight
from serinus.routers.replicas import ReplicasRouter
from serinus.workloads.kubernetes import KubernetesWorkload
from tests.cluster.access import Access
from tests.routers.on_kubernetes import FORMS
from tests.routers.running import until
from tests.workloads.on_kubernetes import CONTAINER, a_deployment, a_service

STABLE = 4
NOWHERE = {"nodeSelector": {"nobody": "has-it"}}
"""Of pods that never run: what is written, and by whom, can be seen without."""


@dataclass(frozen=True)
class Pods:
    """Stable beside a canary without pods, which nobody has marked yet."""

    space: Access
    kube: Kube
    router: ReplicasRouter
    http: httpx.AsyncClient

    def seen(self) -> dict[str, Any]:
        return self.space.get("deployment", "shop-canary")

    def edit(self, weight: Weight) -> None:
        """Somebody else scales the canary."""
        self.space.kubectl("scale", "deployment", "shop-canary", f"--replicas={instances(weight, STABLE)}")

    async def share(self, requests: int) -> float:
        """The canary's part of so many, each on a connection of its own."""
        versions = [await self._version() for _ in range(requests)]
        return versions.count("v1.1") / requests

    async def _version(self) -> str:
        answer = await self.http.get("/", headers={"Host": f"{self.space.namespace}.example"})
        return str(answer.json().get("version")) if answer.status_code == 200 else str(answer.status_code)


def had(weight: Weight) -> Weight:
    return share(instances(weight, STABLE), STABLE)


@asynccontextmanager
async def some_pods(space: Access, *, running: bool = False) -> AsyncIterator[Pods]:
    """Both Deployments.

    Args:
        running: their pods are processes that answer; else they wait for a node that never comes
    """
    pod: dict[str, Any] = {
        "containers": [CONTAINER | {"image": "ghcr.io/acme/shop:v1.0"}],
        **({} if running else NOWHERE),
    }
    front = FORMS["contour"].object(f"{space.namespace}.example")
    space.apply(a_deployment(replicas=STABLE, **pod), a_service(), a_service("files"), front)
    kube = await connect(str(space.kubeconfig), namespace=space.namespace)
    workload = KubernetesWorkload(kube, Seen(kube), Named("shop", ""))
    await workload.put_canary("r-1", await workload.template_for("v1.1", await workload.stable()), 3)
    router = ReplicasRouter(kube, "shop", "shop", "shop")

    async def observed() -> bool:
        side = await workload.canary()
        return side is not None and side.settled and (not running or (await workload.stable()).settled)

    await until(observed, "its controller has seen the canary")
    async with httpx.AsyncClient(base_url=space.cluster.ingress, timeout=5, trust_env=False, verify=False) as http:
        made = Pods(space, kube, router, http)

        async def served() -> bool:
            return await made._version() == "v1.0"

        if running:
            await until(served, "stable is served")
        yield made
    await kube.aclose()


def lasting(found: dict[str, Any]) -> dict[str, Any]:
    """All that people wrote of an object: what the server counts and what controllers say is left out."""
    counted = ("resourceVersion", "generation", "managedFields")
    metadata = {key: value for key, value in found["metadata"].items() if key not in counted}
    notes = {key: value for key, value in (metadata.get("annotations") or {}).items() if "revision" not in key}
    metadata |= {"annotations": notes} if "annotations" in metadata else {}
    whole: dict[str, Any] = json.loads(json.dumps({**found, "metadata": metadata}))
    whole.pop("status", None)
    return whole

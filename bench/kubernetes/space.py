"""What does a user have before a release? A Deployment, its Service, a route; and the rights of `deployments/kubernetes`."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.kubernetes.ground import Ground, until
from bench.kubernetes.row import Play
from serinus.local.cluster.objects import connect
from tests.cluster.access import Access

MANIFESTS = Path(__file__).parents[2] / "deployments" / "kubernetes"
IMAGE = "ghcr.io/acme/shop"
STABLE = "v1.0"
"""Without errors of its own, so that whatever failed is the release's."""
LABELS = {"app": "shop"}
READY_SECONDS = 60.0
FRONTS = {"contour": "httpproxy", "gateway-api": "httproute"}


class Space:
    """One service in a namespace of its own.

    Args:
        access: everything, through kubectl
        account: kubeconfig of the product's service account
        api: the API server, as one who may do everything
        folder: files of this space
    """

    def __init__(self, there: Ground, access: Access, account: Path, api: httpx.AsyncClient, folder: Path) -> None:
        self.there = there
        self.access = access
        self.account = account
        self.api = api
        self.folder = folder

    @property
    def name(self) -> str:
        return self.access.namespace

    @property
    def host(self) -> str:
        return f"{self.name}.example"

    async def get(self, path: str) -> dict[str, Any]:
        """An object below `/apis/`, of this namespace: group, version, plural and name."""
        group, version, plural, name = path.split("/")
        where = f"/apis/{group}/{version}/namespaces/{self.name}/{plural}/{name}"
        found: dict[str, Any] = (await self.api.get(where)).raise_for_status().json()
        return found

    async def stable(self) -> str:
        """The version that the Deployment names."""
        deployment = await self.get("apps/v1/deployments/shop")
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]

    async def is_served(self) -> bool:
        """Users are answered by stable."""
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
            answer = await http.post(self.there.cluster.ingress, headers={"Host": self.host})
        return answer.status_code == 200

    async def is_scraped(self, scrape: int) -> bool:
        """This Prometheus knows the service."""
        query = f'envoy_cluster_upstream_rq_completed{{envoy_cluster_name=~"{self.name}_shop.*"}} > 0'
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
            answer = await http.get(f"{self.there.prometheus(scrape)}/api/v1/query", params={"query": query})
        return bool(answer.json()["data"]["result"])


@asynccontextmanager
async def space(there: Ground, name: str, play: Play) -> AsyncIterator[Space]:
    """A namespace with what a user has; deleted at the end.

    Args:
        play: what will be played in it first: it decides who brings the route
    """
    access, folder = Access.of(there.cluster, name), there.folder / name
    folder.mkdir()
    await asyncio.to_thread(_made, access, folder, play)
    account = await asyncio.to_thread(access.as_account, "serinus", folder) if play.ours else access
    async with connect(there.cluster.kubeconfig) as api:
        made = Space(there, access, account.kubeconfig, api, folder)
        if play.ours:
            await until(made.is_served, f"{name} is served", READY_SECONDS)
        try:
            yield made
        finally:
            await asyncio.to_thread(access.delete)


def _made(access: Access, folder: Path, play: Play) -> None:
    access.create()
    if not play.ours:
        # Flagger brings Service and route itself; its route has no host, so one that has it includes it.
        access.apply(deployment(), root(access.namespace))
        return
    access.apply(deployment(), service(), front(play.router, f"{access.namespace}.example"))
    copied = folder / "kubernetes"
    shutil.copytree(MANIFESTS, copied)
    file = copied / play.router / "kustomization.yaml"
    file.write_text(file.read_text().replace("namespace: default", f"namespace: {access.namespace}"))
    access.kubectl("apply", "-k", str(file.parent))


def deployment() -> dict[str, Any]:
    """Two pods of stable. The same for both; nothing in it is made for either."""
    container = {
        "name": "shop",
        "image": f"{IMAGE}:{STABLE}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
    }
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 5}}
    spec = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": spec}


def service() -> dict[str, Any]:
    spec = {"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}, "spec": spec}


def front(router: str, host: str) -> dict[str, Any]:
    """The user's route, called as the service."""
    backend = {"name": "shop", "port": 80}
    if router == "contour":
        spec: Mapping[str, Any] = {
            "virtualhost": {"fqdn": host},
            "routes": [{"conditions": [{"prefix": "/"}], "services": [backend]}],
        }
        return {"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "shop"}, "spec": spec}
    match = {"path": {"type": "PathPrefix", "value": "/"}}
    parents = [{"name": "gw", "namespace": "default"}]
    spec = {"parentRefs": parents, "hostnames": [host], "rules": [{"matches": [match], "backendRefs": [backend]}]}
    kinds = "gateway.networking.k8s.io/v1"
    return {"apiVersion": kinds, "kind": "HTTPRoute", "metadata": {"name": "shop"}, "spec": spec}


def root(namespace: str) -> dict[str, Any]:
    """The host of the route that Flagger makes."""
    includes = [{"name": "shop", "namespace": namespace, "conditions": [{"prefix": "/"}]}]
    spec = {"virtualhost": {"fqdn": f"{namespace}.example"}, "includes": includes}
    return {"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "root"}, "spec": spec}


def policy(play: Play, namespace: str, prometheus: str) -> str:
    """The product's, as JSON, which YAML reads."""
    content = {
        **play.policy,
        "service": "shop",
        "workload": {"kubernetes": {"namespace": namespace}},
        "router": {play.router: {}},
        "telemetry": {"prometheus": {"url": prometheus}},
    }
    return json.dumps(content)

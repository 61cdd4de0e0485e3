"""Routes of a real Kubernetes: an HTTPProxy or HTTPRoute with rules of others beside ours, and two answerers that say who they are."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from serinus.kube.backends import shares
from serinus.kube.client import Kube
from serinus.kube.connecting import connect
from serinus.kube.names import RELEASE
from serinus.kube.split_router import SplitRouter
from serinus.release.weight import Weight
from serinus.routers.contour import contour_router
from serinus.routers.gateway_api import gateway_api_router
from tests.cluster.access import Access
from tests.routers.running import answering

ODD = "1 < 2 & 2 > 1"
"""Go and Python write this in different JSON, and an API server compares bytes of it."""
ADDRESSES = {"shop": "10.244.192.1", "shop-canary": "10.244.192.2"}
PORT = 8080


@dataclass(frozen=True)
class Form:
    """One vendor's object.

    Args:
        backends: JSON pointer to those of the service's rule
    """

    kind: str
    backends: str

    def object(self, host: str) -> dict[str, Any]:
        return (_proxy if self.kind == "httpproxy" else _route)(host)

    def router(self, kube: Kube) -> SplitRouter:
        if self.kind == "httpproxy":
            return contour_router(kube, "front", "shop", "shop")
        return gateway_api_router(kube, "front", "shop", "shop")


FORMS = {
    "contour": Form("httpproxy", "/spec/routes/1/services"),
    "gateway-api": Form("httproute", "/spec/rules/1/backendRefs"),
}


@dataclass(frozen=True)
class Front:
    """A route that nobody has touched yet.

    Args:
        url: where it is served
    """

    form: Form
    space: Access
    kube: Kube
    router: SplitRouter
    url: str
    http: httpx.AsyncClient

    def seen(self) -> dict[str, Any]:
        return self.space.get(self.form.kind, "front")

    def patch(self, *operations: Mapping[str, Any]) -> None:
        """Somebody else's hand."""
        self.space.kubectl("patch", self.form.kind, "front", "--type=json", f"-p={json.dumps(operations)}")

    def edit(self, weight: Weight) -> None:
        """Somebody else changes the weights alone."""
        places = zip((0, 1), shares(weight), strict=True)
        self.patch(*({"op": "add", "path": f"{self.form.backends}/{at}/weight", "value": of} for at, of in places))

    async def ask(self, times: int) -> Counter[str]:
        """Who answered; Envoy listens from the first route on."""
        seen: Counter[str] = Counter()
        for _ in range(times):
            try:
                answer = await self.http.get(self.url, headers={"Host": f"{self.space.namespace}.example"})
            except httpx.ConnectError:
                seen["nobody"] += 1
                continue
            seen[answer.text if answer.status_code == 200 else str(answer.status_code)] += 1
        return seen

    async def share(self, requests: int) -> float:
        return (await self.ask(requests))["canary"] / requests


@asynccontextmanager
async def a_front(name: str, space: Access) -> AsyncIterator[Front]:
    """A front in a namespace of its own, made as by `kubectl create`: it has no annotations and no labels."""
    form = FORMS[name]
    made = [*map(_service, ("shop", "shop-canary", "files")), form.object(f"{space.namespace}.example")]
    space.kubectl("create", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    kube = await connect(str(space.kubeconfig), namespace=space.namespace)
    url = space.cluster.ingress if name == "contour" else space.cluster.gateway
    async with httpx.AsyncClient(timeout=5, trust_env=False, verify=False) as http:
        yield Front(form, space, kube, form.router(kube), url, http)
    await kube.aclose()


@asynccontextmanager
async def answerers(space: Access) -> AsyncIterator[None]:
    """Stable and canary, as endpoints of their Services."""
    arms = {"shop": "stable", "shop-canary": "canary"}
    servers = [await asyncio.start_server(answering(arm), ADDRESSES[name], PORT) for name, arm in arms.items()]
    space.apply(*(_endpoints(name) for name in arms))
    yield
    for server in servers:
        server.close()


def _service(name: str) -> dict[str, Any]:
    notes = {"annotations": {RELEASE: "r-1"}} if name.endswith("-canary") else {}
    ports = [{"name": "http", "port": 80, "targetPort": PORT}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, **notes}, "spec": {"ports": ports}}


def _endpoints(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "tests"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [ADDRESSES[name]], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": PORT}],
    }


def _proxy(host: str) -> dict[str, Any]:
    static = {"conditions": [{"prefix": "/static"}], "services": [{"name": "files", "port": 80}]}
    policy = {"set": [{"name": "x-odd", "value": ODD}]}
    ours = {
        "conditions": [{"prefix": "/"}],
        "services": [{"name": "shop", "port": 80, "requestHeadersPolicy": policy}],
    }
    spec = {"virtualhost": {"fqdn": host}, "routes": [static, ours]}
    return {"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "front"}, "spec": spec}


def _route(host: str) -> dict[str, Any]:
    def rule(prefix: str, service: str) -> dict[str, Any]:
        match = {"path": {"type": "PathPrefix", "value": prefix}}
        return {"matches": [match], "backendRefs": [{"name": service, "port": 80}]}

    parents = [{"name": "gw", "namespace": "default"}]
    rules = [rule("/static", "files"), rule("/", "shop")]
    modifier = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-odd", "value": ODD}]}}
    rules[1]["backendRefs"][0]["filters"] = [modifier]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "front"},
        "spec": {"parentRefs": parents, "hostnames": [host], "rules": rules},
    }

"""What lies in every cluster before a test begins? The kinds of Contour and of the Gateway API, a Gateway, and one route."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from serinus.errors import Unavailable
from serinus.local.cluster.ingress import GATEWAY, GATEWAY_NAMESPACE
from serinus.local.cluster.programs import definitions

SECONDS = 30.0
POLL_SECONDS = 0.1
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1"
PROXIES = "/apis/projectcontour.io/v1"
GATEWAY_CLASS = "contour"
STANDING_HOST = "standing.example"
"""Envoy itself answers for it."""
ADMIN_TIMEOUT = httpx.Timeout(10.0)


def connect(kubeconfig: Path) -> httpx.AsyncClient:
    """The API server, as the kubeconfig's user."""
    whole = json.loads(kubeconfig.read_text())
    cluster, user = whole["clusters"][0]["cluster"], whole["users"][0]["user"]
    return httpx.AsyncClient(
        base_url=cluster["server"],
        headers={"Authorization": f"Bearer {user['token']}"},
        verify=ssl.create_default_context(cafile=cluster["certificate-authority"]),
        timeout=ADMIN_TIMEOUT,
        trust_env=False,
    )


async def define(client: httpx.AsyncClient, names: Sequence[str]) -> None:
    """Make these kinds known, and see that they are.

    Raises:
        Unavailable: the server refused one, or did not take it up in time
    """
    wanted = [one for name in names for one in definitions(name)]
    await asyncio.gather(*(_create(client, CRDS, one) for one in wanted))
    deadline = asyncio.get_running_loop().time() + SECONDS
    while not await serves(client, names):
        if asyncio.get_running_loop().time() > deadline:
            raise Unavailable(f"the API server did not serve the kinds of {', '.join(names)} within {SECONDS:.0f} s")
        await asyncio.sleep(POLL_SECONDS)


async def serves(client: httpx.AsyncClient, names: Sequence[str]) -> bool:
    """Clients see these kinds. The definitions themselves are not read: they are long, and that is slow."""
    wanted = set(_served(one for name in names for one in definitions(name)))
    versions = {version for version, _ in wanted}
    answers = await asyncio.gather(*(client.get(f"/apis/{version}") for version in versions))
    bodies = (answer.json() for answer in answers if answer.status_code == 200)
    return wanted <= {(body["groupVersion"], resource["name"]) for body in bodies for resource in body["resources"]}


def _served(wanted: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Group with version, and plural, of each kind."""
    for one in wanted:
        spec = one["spec"]
        for version in spec["versions"]:
            if version["served"]:
                yield f"{spec['group']}/{version['name']}", spec["names"]["plural"]


async def open_gateway(client: httpx.AsyncClient) -> None:
    """The Gateway that Contour serves, for routes of every namespace, and a route that keeps its listener open."""
    kinds = "gateway.networking.k8s.io/v1"
    gateway_class = {
        "apiVersion": kinds,
        "kind": "GatewayClass",
        "metadata": {"name": GATEWAY_CLASS},
        "spec": {"controllerName": "projectcontour.io/gateway-controller"},
    }
    listener = {
        "name": "http",
        "port": 80,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    gateway = {
        "apiVersion": kinds,
        "kind": "Gateway",
        "metadata": {"name": GATEWAY, "namespace": GATEWAY_NAMESPACE},
        "spec": {"gatewayClassName": GATEWAY_CLASS, "listeners": [listener]},
    }
    # Without any route there is no listener: the first test's route would open it, and the last one's end would close it.
    route = {
        "apiVersion": "projectcontour.io/v1",
        "kind": "HTTPProxy",
        "metadata": {"name": "standing", "namespace": GATEWAY_NAMESPACE},
        "spec": {
            "virtualhost": {"fqdn": STANDING_HOST},
            "routes": [{"directResponsePolicy": {"statusCode": 200, "body": "standing"}}],
        },
    }
    await _create(client, f"{PROXIES}/namespaces/{GATEWAY_NAMESPACE}/httpproxies", route)
    await _create(client, f"{GATEWAYS}/gatewayclasses", gateway_class)
    await _create(client, f"{GATEWAYS}/namespaces/{GATEWAY_NAMESPACE}/gateways", gateway)


async def gateway_is_open(client: httpx.AsyncClient) -> bool:
    """Contour has taken it up."""
    answer = await client.get(f"{GATEWAYS}/namespaces/{GATEWAY_NAMESPACE}/gateways/{GATEWAY}")
    return answer.status_code == 200 and _is(answer.json(), "Programmed")


async def _create(client: httpx.AsyncClient, path: str, body: Any) -> None:
    answer = await client.post(path, json=body)
    if answer.status_code not in (201, 409):
        raise Unavailable(f"{body['kind']} {body['metadata']['name']} was not created: {answer.text[:400]}")


def _is(item: dict[str, Any], condition: str) -> bool:
    conditions = item.get("status", {}).get("conditions") or []
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)

"""What does a newcomer find in the cluster? The demo service as a user has one: a Deployment, its Service, an HTTPProxy; and a policy.

Nothing in them was made for releases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx

from serinus.errors import Unavailable
from serinus.within import within

NAMESPACE = "demo"
SERVICE = "shop"
HOST = "shop.localhost"
"""A browser and curl take it to 127.0.0.1 by themselves, with any port."""
STABLE = "v1.0"
REPLICAS = 2
ASK_SECONDS = 2.0
POLL_SECONDS = 0.1
READY_SECONDS = 60.0

POLICY = """\
# The demo's service on the Kubernetes of this machine: the plan's limits, in phases of 8 seconds, for 40 requests a second and more.
service: {service}
workload:
  kubernetes: {{namespace: {namespace}, context: {context}}}   # no other cluster's, whatever KUBECONFIG says
router: contour
telemetry:
  prometheus: {{url: "{prometheus}"}}

phases:
  - {{weight: 10%, soak: 8s}}
  - {{weight: 25%, soak: 8s}}
  - {{weight: 50%, soak: 8s}}
  - {{weight: 100%, soak: 8s}}   # stable keeps its pods: the way back is one weight
bake: 8s

gates:
  success_rate: {{min: 99%, abort_below: 95%}}
  error_rate: {{max: 1%, abort_above: 5%}}
  server_errors: {{max: 0.1%}}
  latency_p50: {{max: 100ms}}
  latency_p99: {{max: 500ms, abort_above: 2s}}

checks:
  interval: 1s
  scrape: 1s
  window: 5s
  failures: 3
  min_requests: 15   # at 40 requests a second the first phase brings 32
  burst: 1           # the demo's faults are independent of each other
  warm_up: 2s

limits: {{no_traffic: 20s, metrics_down: 15s, duration: 10m, rollback: 10s}}
notify: [log]
"""


def policy(prometheus: str, context: str) -> str:
    """Its text.

    Args:
        prometheus: where that answers whoever releases
        context: of the kubeconfig
    """
    return POLICY.format(service=SERVICE, namespace=NAMESPACE, prometheus=prometheus, context=context)


async def create(api: httpx.AsyncClient) -> None:
    """All of it.

    Raises:
        Unavailable: the API server does not take it
    """
    for path, body in _objects():
        try:
            answer = await api.post(path, json=body)
        except httpx.HTTPError as cause:
            raise Unavailable(f"{body['kind']} {body['metadata']['name']} was not created: {cause!r}") from cause
        if answer.status_code not in (201, 409):
            raise Unavailable(f"{body['kind']} {body['metadata']['name']} was not created: {answer.text[:400]}")


async def until_served(http: httpx.AsyncClient, ingress: str) -> None:
    """An answer of its comes through the ingress.

    Raises:
        Unavailable: none does
    """
    said = "no answer"
    try:
        async with within(READY_SECONDS):
            while True:
                try:
                    answer = await http.get(ingress, headers={"Host": HOST}, timeout=ASK_SECONDS)
                    if answer.headers.get("x-version") == STABLE:
                        return
                    said = f"{answer.status_code} {answer.text[:80]}"
                except httpx.HTTPError as cause:
                    said = repr(cause)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise Unavailable(f"{SERVICE} did not answer through the ingress in {READY_SECONDS:.0f} s: {said}") from None


def _objects() -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each is created, in that order."""
    mine = {"metadata": {"name": SERVICE, "labels": {"app": SERVICE}}}
    space = f"namespaces/{NAMESPACE}"
    container = {
        "name": SERVICE,
        "image": f"registry.example/{SERVICE}:{STABLE}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
    }
    deployed = {
        "replicas": REPLICAS,
        "selector": {"matchLabels": {"app": SERVICE}},
        "template": {"metadata": {"labels": {"app": SERVICE}}, "spec": {"containers": [container]}},
    }
    served = {"selector": {"app": SERVICE}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    routed = {"virtualhost": {"fqdn": HOST}, "routes": [{"services": [{"name": SERVICE, "port": 80}]}]}
    yield "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    yield (
        f"/apis/apps/v1/{space}/deployments",
        {"apiVersion": "apps/v1", "kind": "Deployment", **mine, "spec": deployed},
    )
    yield f"/api/v1/{space}/services", {"apiVersion": "v1", "kind": "Service", **mine, "spec": served}
    proxy = {"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", **mine, "spec": routed}
    yield f"/apis/projectcontour.io/v1/{space}/httpproxies", proxy

"""Does traffic come in by an HTTPProxy and by an HTTPRoute, is it split as they say, and does Prometheus count it?"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from serinus.local.cluster import ingress
from serinus.local.cluster.cluster import Cluster, read
from serinus.local.cluster.relay import outside
from tests.cluster.access import Access

REQUESTS = 300
SECONDS = 30.0
STABLE, CANARY = "shop", "shop-canary"


def objects(name: str, version: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A Deployment that Prometheus scrapes, and its Service."""
    labels = {"app": name}
    container = {
        "name": "shop",
        "image": f"shop:{version}",
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    }
    template = {
        "metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 2},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
    ports = [{"port": 80, "targetPort": 8080}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": ports},
    }
    return deployment, service


def proxy(host: str, weight: int) -> Mapping[str, Any]:
    services = [{"name": STABLE, "port": 80, "weight": 100 - weight}, {"name": CANARY, "port": 80, "weight": weight}]
    spec = {"virtualhost": {"fqdn": host}, "routes": [{"services": services}]}
    return {"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "shop"}, "spec": spec}


def route(host: str, weight: int) -> Mapping[str, Any]:
    backends = [{"name": STABLE, "port": 80, "weight": 100 - weight}, {"name": CANARY, "port": 80, "weight": weight}]
    parents = [{"name": "gw", "namespace": "default"}]
    spec = {"parentRefs": parents, "hostnames": [host], "rules": [{"backendRefs": backends}]}
    version = "gateway.networking.k8s.io/v1"
    return {"apiVersion": version, "kind": "HTTPRoute", "metadata": {"name": "shop"}, "spec": spec}


@pytest.fixture
def shop(space: Access) -> Access:
    space.apply(*objects(STABLE, "v1"), *objects(CANARY, "v2"))
    for name in (STABLE, CANARY):
        space.kubectl("rollout", "status", f"deployment/{name}", "--timeout=25s")
    return space


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {SECONDS:.0f} s: {what}"
        time.sleep(0.05)


def versions(url: str, host: str, requests: int) -> Counter[str]:
    with httpx.Client(headers={"Host": host}, trust_env=False, verify=False, timeout=10) as client:
        return Counter(client.get(url).headers.get("x-version", "none") for _ in range(requests))


@pytest.mark.parametrize("made", [proxy, route], ids=["HTTPProxy", "HTTPRoute"])
def test_a_weight_is_what_the_traffic_shows(shop: Access, made: Callable[[str, int], Mapping[str, Any]]) -> None:
    host, url = f"{shop.namespace}.example", shop.cluster.ingress if made is proxy else shop.cluster.gateway
    shop.apply(made(host, 0))
    until(lambda: versions(url, host, 1) == {"v1": 1}, "the route is served")
    assert versions(url, host, REQUESTS) == {"v1": REQUESTS}
    shop.apply(made(host, 25))
    until(lambda: "v2" in versions(url, host, 20), "the weight is taken up")
    seen = versions(url, host, REQUESTS)
    assert set(seen) == {"v1", "v2"}
    assert 0.12 * REQUESTS < seen["v2"] < 0.40 * REQUESTS
    shop.apply(made(host, 100))
    until(lambda: "v1" not in versions(url, host, 20), "the weight is taken up")
    assert versions(url, host, REQUESTS) == {"v2": REQUESTS}


def test_what_is_asked_is_counted_by_arm_and_by_pod(shop: Access) -> None:
    host = f"{shop.namespace}.example"
    shop.apply(proxy(host, 50))
    until(lambda: versions(shop.cluster.ingress, host, 1)["none"] == 0, "the route is served")
    asked = versions(shop.cluster.ingress, host, 40).total()

    def counted(query: str) -> float:
        answer = httpx.get(
            f"{shop.cluster.prometheus}/api/v1/query",
            params={"query": query},
            trust_env=False,
            verify=False,
            timeout=10,
        )
        return sum(float(one["value"][1]) for one in answer.json()["data"]["result"])

    arms = f'envoy_cluster_upstream_rq_total{{envoy_cluster_name=~"{shop.namespace}_shop(-canary)?_80"}}'
    pods = f'http_requests_total{{namespace="{shop.namespace}"}}'
    until(lambda: counted(arms) >= asked, "Envoy's figures are there")
    until(lambda: counted(pods) >= asked, "the pods' own figures are there")
    assert counted(f"count({arms})") == 2


def test_a_latency_is_not_older_than_the_scrape_that_reads_it(cluster: Cluster, tmp_path: Path) -> None:
    told = json.loads(ingress.write_bootstrap(tmp_path).read_text())
    assert float(told["stats_flush_interval"].removesuffix("s")) < 1.0


async def test_outside_its_namespace_a_cluster_answers_on_ports_that_lead_in(own_cluster: Cluster) -> None:
    assert read(own_cluster.folder) == own_cluster
    async with outside(own_cluster) as urls, httpx.AsyncClient(trust_env=False, verify=False, timeout=10) as client:
        answers = [(await client.get(f"{urls['prometheus']}/-/ready")).status_code]
        answers += [(await client.get(urls[name])).status_code for name in ("ingress", "gateway")]
        assert answers == [200, 404, 404]
        assert (await client.get(f"{urls['api']}/readyz")).text == "ok"

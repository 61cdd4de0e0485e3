"""Workload, router and telemetry must fit together; what is left out is called as the service."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.policy.explain import explain
from serinus.policy.load import Policy
from serinus.policy.settle import to_plan
from tests.policy.builders import a_policy, the_problem

MARKET = {"kubernetes": {"namespace": "market"}}
ELSEWHERE: dict[str, Any] = {
    "workload": MARKET,
    "router": "contour",
    "telemetry": {"prometheus": {"url": "http://prometheus:9090"}},
}


def on_kubernetes(**keys: Any) -> dict[str, Any]:
    return {**ELSEWHERE, **keys}


def replicas(**keys: Any) -> dict[str, Any]:
    phases = [{"weight": "20%", "soak": "5m"}, {"weight": "50%", "soak": "5m"}]
    return {**ELSEWHERE, "router": "replicas", "phases": phases, **keys}


def app(**keys: Any) -> dict[str, Any]:
    return on_kubernetes(telemetry={**ELSEWHERE["telemetry"], "source": "app", "app": keys})


def test_pods_in_the_place_of_a_proxy_are_counted_by_themselves() -> None:
    target = to_plan(a_policy(**replicas()), "v2").target
    assert (target.router, target.source, target.router_options) == ("replicas", "app", {})
    assert target.telemetry_options == {
        "url": "http://prometheus:9090",
        "app.requests": "http_requests_total",
        "app.status": "status",
        "app.latency": "http_request_duration_seconds",
        "app.unit": "s",
        "app.pod": "pod",
    }


def test_more_than_half_of_the_pods_is_no_weight() -> None:
    phases = [{"weight": weight, "soak": "5m"} for weight in ("50%", "60%")]
    problem = the_problem(**replicas(phases=phases))
    assert problem.where == "phases[1].weight"
    assert "60% is more than pods beside stable's can have" in problem.found
    assert "at most 50%" in problem.right


@pytest.mark.parametrize(
    ("keys", "unit"), [({"latency": "took_ms"}, "ms"), ({"latency": "took_milliseconds"}, "ms"), ({"unit": "ms"}, "ms")]
)
def test_a_histogram_says_its_unit_or_is_told(keys: dict[str, Any], unit: str) -> None:
    options = to_plan(a_policy(**app(match='path!="/healthz"', **keys)), "v2").target.telemetry_options
    assert (options["app.unit"], options["app.match"]) == (unit, 'path!="/healthz"')


@pytest.mark.parametrize(
    ("key", "value"), [("requests", "http requests"), ("status", "le-x"), ("match", "{a}"), ("match", 'a="b" or c')]
)
def test_what_is_no_name_of_prometheus_is_refused(key: str, value: str) -> None:
    assert the_problem(**app(**{key: value})).where == f"telemetry.app.{key}"


def test_the_shortest_names_are_the_service_s() -> None:
    target = to_plan(a_policy(**on_kubernetes()), "v2").target
    assert (target.workload, target.router, target.source) == ("kubernetes", "contour", "contour")
    assert target.workload_options == {
        "namespace": "market",
        "deployment": "shop",
        "service": "shop",
        "autoscaler": "shop",
    }
    assert target.router_options == {"proxy": "shop"}
    assert target.telemetry_options == {"url": "http://prometheus:9090"}


def test_every_name_can_be_another() -> None:
    names = {
        "namespace": "market",
        "deployment": "web",
        "service": "front",
        "container": "app",
        "autoscaler": "web-hpa",
    }
    workload = {"kubernetes": {**names, "context": "prod"}, "image": "ghcr.io:443/team/shop", "min_replicas": 2}
    telemetry = {**ELSEWHERE["telemetry"], "job": "projectcontour/envoy"}
    policy = a_policy(workload=workload, router={"gateway-api": {"route": "shop-http"}}, telemetry=telemetry)
    target = to_plan(policy, "v2").target
    assert target.workload_options == {**names, "context": "prod", "image": "ghcr.io:443/team/shop"}
    assert (target.router, target.router_options) == ("gateway-api", {"route": "shop-http"})
    assert target.telemetry_options["job"] == "projectcontour/envoy"


def test_a_service_is_called_as_its_deployment() -> None:
    policy = a_policy(**on_kubernetes(workload={"kubernetes": {"namespace": "market", "deployment": "web"}}))
    options = to_plan(policy, "v2").target.workload_options
    assert (options["service"], options["autoscaler"]) == ("web", "web")


def test_a_plan_shows_every_name_and_where_it_comes_from() -> None:
    told = {row.key: (row.value, row.origin) for row in explain(a_policy(**on_kubernetes()), "v2").settings}
    assert told["workload.kubernetes.namespace"] == ("market", "written")
    assert told["workload.kubernetes.deployment"] == ("shop", "default")
    assert told["router.contour.proxy"] == ("shop", "default")
    assert told["telemetry.source"] == ("contour", "default")
    assert not any(key.startswith(("workload.kubernetes", "router.")) for key in settings_of(a_policy()))


def settings_of(policy: Policy) -> list[str]:
    return [row.key for row in explain(policy, "v2").settings]


@pytest.mark.parametrize(
    ("keys", "where", "found"),
    [
        ({"workload": {"min_replicas": 2}}, "workload", "names none"),
        ({"workload": {"local": {}, **MARKET}}, "workload", "names local and kubernetes"),
        ({"router": {"envoy": {}, "contour": {}}}, "router", "names envoy and contour"),
        ({"router": "contour"}, "router", "contour cannot split the traffic of the local platform's own processes"),
        (on_kubernetes(router="envoy"), "router", "envoy cannot split the traffic of a Deployment on Kubernetes"),
        ({"workload": {"local": {}, "image": "team/shop"}}, "workload.image", "runs no images"),
        (on_kubernetes(telemetry={}), "telemetry", "no Prometheus is known"),
        (on_kubernetes(telemetry={**ELSEWHERE["telemetry"], "source": "envoy"}), "telemetry.source", "counts nothing"),
        ({"telemetry": {"source": "contour"}}, "telemetry.source", "counts nothing"),
        (
            replicas(workload={**MARKET, "min_replicas": 2}),
            "workload.min_replicas",
            "2 pods at least would be a weight",
        ),
        (replicas(telemetry={**ELSEWHERE["telemetry"], "source": "contour"}), "telemetry.source", "counts nothing"),
        (on_kubernetes(telemetry={**ELSEWHERE["telemetry"], "app": {}}), "telemetry.app", "the source is contour"),
        (app(latency="took"), "telemetry.app.unit", "the unit of took is not in its name"),
        ({"telemetry": {"job": "envoy"}}, "telemetry.job", "has a Prometheus of its own"),
    ],
)
def test_what_does_not_fit_together_is_told_once(keys: dict[str, Any], where: str, found: str) -> None:
    problem = the_problem(**keys)
    assert problem.where == where
    assert found in problem.found

"""Unknown keys and values of another kind, all told at once."""

from __future__ import annotations

from typing import Any, cast

import pytest

from serinus.errors import PolicyError
from serinus.policy.load import parse
from tests.policy.builders import SHORTEST, a_policy, phases, refused, the_problem


@pytest.mark.parametrize(
    ("keys", "where", "guess"),
    [
        ({"limts": {}}, "limts", "limits"),
        ({"Phases": []}, "Phases", "phases"),
        ({"checks": {"gaurds": "off"}}, "checks.gaurds", "guards"),
        ({"checks": {"min-requests": 3}}, "checks.min-requests", "min_requests"),
        ({"gates": {"eror_rate": {"max": "1%"}}}, "gates.eror_rate", "error_rate"),
        ({"gates": {"latency_99": {"max": "1s"}}}, "gates.latency_99", "latency_p99"),
        ({"gates": {"latency_p99": {"maximum": "1s"}}}, "gates.latency_p99.maximum", "max"),
        ({"gates": {"success_rate": {"abort_bellow": "1%"}}}, "gates.success_rate.abort_bellow", "abort_below"),
        ({"on": {"inconclusiv": "hold"}}, "on.inconclusiv", "inconclusive"),
        ({"telemetry": {"promethus": {}}}, "telemetry.promethus", "prometheus"),
        ({"router": {"gateway_api": {}}}, "router.gateway_api", "gateway-api"),
        ({"router": {"gateway-api": {"rout": "shop"}}}, "router.gateway-api.rout", "route"),
    ],
)
def test_a_misspelt_key_is_told_with_the_nearest(keys: dict[str, Any], where: str, guess: str) -> None:
    problem = the_problem(**keys)
    assert problem.where == where
    assert f"did you mean `{guess}`?" in problem.right


def test_a_required_key_misspelt_is_told_once() -> None:
    problem = the_problem(phases=[{"wieght": "5%", "soak": "5m"}])
    assert (problem.where, problem.right) == ("phases[0].wieght", "did you mean `weight`?")


@pytest.mark.parametrize(
    ("key", "value", "known"),
    [
        ("workload", {"docker": {"image": "shop"}}, "write `local` or `kubernetes`: no other workload is built yet"),
        ("workload", "docker", "write `local` or `kubernetes`: no other workload is built yet"),
        ("router", "istio", "write `envoy`, `contour`, `gateway-api` or `replicas`: no other router is built yet"),
        ("router", {"istio": {"service": "shop"}}, "write `envoy`, `contour`, `gateway-api` or `replicas`: no other"),
        ("comparison", {}, "this version knows service, workload"),
    ],
)
def test_what_is_not_built_is_said_so(key: str, value: Any, known: str) -> None:
    problem = the_problem(**{key: value})
    assert problem.right.startswith(known)


@pytest.mark.parametrize(
    ("number", "right"), [(500, "write 500ms"), ("500", "write 500ms"), (2, "write 2s, 2m or 2ms")]
)
def test_a_bare_latency_was_meant_in_milliseconds(number: Any, right: str) -> None:
    problem = the_problem(gates={"error_rate": {"max": "1%"}, "latency_p99": {"max": number}})
    assert (problem.where, problem.right) == ("gates.latency_p99.max", right)


def test_what_is_missing_is_described() -> None:
    with pytest.raises(PolicyError) as caught:
        parse({"preset": "plan"})
    assert [problem.where for problem in caught.value.problems] == ["router", "service", "workload"]
    assert "add it: what splits the traffic" in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"service": "Shop"}, "service"),
        ({"service": "a" * 64}, "service"),
        ({"service": "shop\n"}, "service"),
        ({"service": 5}, "service"),
        ({"workload": "kubernetes"}, "workload.kubernetes.namespace"),
        ({"workload": {"kubernetes": {"namespace": "Market"}}}, "workload.kubernetes.namespace"),
        ({"workload": {"local": {}, "image": "team/shop:v1"}}, "workload.image"),
        ({"workload": None}, "workload"),
        ({"preset": "plam"}, "preset"),
        ({"phases": "5%"}, "phases"),
        ({"phases": [5]}, "phases[0]"),
        ({"phases": None}, "phases"),
        ({"phases": [{"weight": "101%", "soak": "5m"}]}, "phases[0].weight"),
        ({"phases": [{"weight": 5, "soak": "5m"}]}, "phases[0].weight"),
        ({"phases": [{"weight": "5%"}]}, "phases[0].soak"),
        ({"bake": 600}, "bake"),
        ({"checks": None}, "checks"),
        ({"checks": {"failures": True}}, "checks.failures"),
        ({"checks": {"failures": 0}}, "checks.failures"),
        ({"checks": {"failures": 1.5}}, "checks.failures"),
        ({"checks": {"min_requests": "50"}}, "checks.min_requests"),
        ({"checks": {"guards": "loose"}}, "checks.guards"),
        ({"checks": {"guards": False}}, "checks.guards"),
        ({"checks": {"burst": 0.5}}, "checks.burst"),
        ({"checks": {"burst": float("nan")}}, "checks.burst"),
        ({"checks": {"interval": "0s"}}, "checks.interval"),
        ({"gates": []}, "gates"),
        ({"gates": {"error_rate": None}}, "gates.error_rate"),
        ({"gates": {"error_rate": False}}, "gates.error_rate"),
        ({"gates": {"error_rate": "1%"}}, "gates.error_rate"),
        ({"gates": {"error_rate": {"max": 1}}}, "gates.error_rate.max"),
        ({"gates": {"error_rate": {"max": "101%"}}}, "gates.error_rate.max"),
        ({"gates": {"latency_p99": {"max": "0s"}}}, "gates.latency_p99.max"),
        ({"gates": {"latency_p0": {"max": "1s"}}}, "gates.latency_p0"),
        ({"gates": {"latency_p100": {"max": "1s"}}}, "gates.latency_p100"),
        ({"gates": {"custom": [{"name": "q"}]}}, "gates.custom[0].query"),
        ({"gates": {"custom": [{"name": "q", "query": "x{$canary}", "max": True}]}}, "gates.custom[0].max"),
        ({"limits": {"bad_requests": -1}}, "limits.bad_requests"),
        ({"limits": {"rollback": 30}}, "limits.rollback"),
        ({"on": {"inconclusive": "forget"}}, "on.inconclusive"),
        ({"on": {"inconclusive": True}}, "on.inconclusive"),
        ({"notify": "log"}, "notify"),
        ({"rehearsal": {"speed": 0}}, "rehearsal.speed"),
        ({"rehearsal": {"speed": "30"}}, "rehearsal.speed"),
        ({"telemetry": {"source": "istio"}}, "telemetry.source"),
        ({"telemetry": {"prometheus": {}}}, "telemetry.prometheus.url"),
    ],
)
def test_a_value_of_another_kind_is_told_with_what_would_be_right(keys: dict[str, Any], where: str) -> None:
    problem = the_problem(**keys)
    assert problem.where == where
    assert problem.found
    assert problem.right
    assert "Input" not in str(problem)


def test_unsound_sections_do_not_hide_other_mistakes() -> None:
    problems = refused(service="S", bake=5, phases=phases("10%", "5%"), checks={"window": "1s"}, notify=["slack://x"])
    assert {problem.where for problem in problems} >= {
        "service",
        "bake",
        "phases[1].weight",
        "checks.window",
        "notify[0]",
    }


def test_a_secret_is_never_repeated() -> None:
    problem = the_problem(telemetry={"prometheus": {"url": "http://x", "token": ["hunter2"]}})
    assert "hunter2" not in str(problem)


def test_an_older_yaml_reader_is_named() -> None:
    with pytest.raises(PolicyError, match="took `on` for a truth value"):
        parse({**SHORTEST, "true": {"inconclusive": "hold"}})


def test_a_policy_is_a_mapping_with_words() -> None:
    nothing: tuple[Any, ...] = ([], "shop", None, 5)
    for data in nothing:
        with pytest.raises(PolicyError, match="not a mapping"):
            parse(data)
    with pytest.raises(PolicyError, match="a key is not a word"):
        parse(cast(dict[str, Any], {**SHORTEST, 5: 5}))


def test_short_and_long_forms_are_the_same() -> None:
    assert a_policy(workload={"local": {}}, router={"envoy": {}}).content == a_policy().content


def test_a_gate_can_be_taken_away() -> None:
    content = a_policy(gates={"latency_p50": "off"}).content
    assert content.gates.named()["latency_p50"] is None

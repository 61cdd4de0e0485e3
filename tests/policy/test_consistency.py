"""Sound values that do not fit together, each with its own sentence; and what is only probably not meant."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policy.builders import a_policy, phases, refused, the_problem


def custom(**keys: Any) -> dict[str, Any]:
    return {"custom": [{"name": "depth", "query": "max(queue_depth{$canary})", "max": 100, **keys}]}


SERVER = {"url": "https://prometheus:9090"}


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        ({"phases": []}, "phases", "there are none"),
        ({"phases": phases("10%", "5%", "100%")}, "phases[1].weight", "5% is less than the 10% before it"),
        ({"phases": phases("10%", "10%", "100%")}, "phases[1].weight", "10% stands there twice"),
        ({"phases": phases("10%", "50%")}, "phases[1].weight", "the last phase has 50%"),
        ({"phases": phases("0%", "100%")}, "phases[0].weight", "0% is no phase"),
        ({"phases": phases("0.001%", "100%")}, "phases[0].weight", "finer than 0.01%"),
        ({"checks": {"window": "1s", "interval": "1s"}}, "checks.window", "under two scrapes of 1s"),
        (
            {"checks": {"window": "59s", "scrape": "30s", "interval": "30s"}},
            "checks.window",
            "under two scrapes of 30s",
        ),
        ({"checks": {"interval": "500ms"}}, "checks.interval", "shorter than a scrape"),
        ({"checks": {"interval": "2m"}}, "checks.interval", "longer than the window"),
        ({"telemetry": {"prometheus": SERVER}, "checks": {"interval": "10s"}}, "checks.interval", "a scrape of 15s"),
        (
            {"gates": {"error_rate": {"abort_above": "1%"}}},
            "gates.error_rate",
            "abort_above 1% does not lie above max 1%",
        ),
        ({"gates": {"success_rate": {"abort_below": "99%"}}}, "gates.success_rate", "does not lie below min 99%"),
        ({"gates": {"latency_p99": {"max": "3s"}}}, "gates.latency_p99", "abort_above 2s does not lie above max 3s"),
        ({"gates": {"latency_p95": {}}}, "gates.latency_p95", "holds no limit"),
        ({"limits": {"duration": "1h"}}, "limits.duration", "shorter than phases and bake together, 1h10m"),
        ({"limits": {"no_traffic": "1s"}}, "limits.no_traffic", "under two scrapes"),
        ({"limits": {"metrics_down": "1s"}}, "limits.metrics_down", "under two scrapes"),
        ({"on": {"inconclusive": "hold"}}, "on.inconclusive", "the 0% limit of error_rate in phases[0].gates"),
        ({"gates": custom(max=None)}, "gates.custom[0].max", "nothing"),
        ({"gates": custom(max="500ms")}, "gates.custom[0].max", "not a bare number"),
        ({"gates": custom(unit="s")}, "gates.custom[0].max", "`100` has no unit"),
        ({"gates": custom(abort_above=100)}, "gates.custom[0].abort_above", "does not lie above max"),
        ({"gates": custom(min=100, abort_below=100, max=200)}, "gates.custom[0].abort_below", "does not lie below min"),
        ({"gates": custom(min=101)}, "gates.custom[0].min", "lies above max"),
        ({"gates": custom(query="max(x{$canry})")}, "gates.custom[0].query", "`$canry` is not known"),
        ({"gates": custom(query="rate(x{$canary}[1s])")}, "gates.custom[0].query", "[1s] is under two scrapes"),
        ({"gates": custom(name="error_rate")}, "gates.custom[0].name", "the name of another gate"),
        ({"telemetry": {"prometheus": {"url": "prometheus:9090"}}}, "telemetry.prometheus.url", "is no address"),
        ({"telemetry": {"prometheus": {**SERVER, "proxy": "x"}}}, "telemetry.prometheus.proxy", "is no address"),
        (
            {"telemetry": {"prometheus": {**SERVER, "token": "${T}", "basic": {"user": "u", "password": "${P}"}}}},
            "telemetry.prometheus.token",
            "stands beside basic",
        ),
        ({"telemetry": {"prometheus": {"url": "http://p", "ca": "/ca"}}}, "telemetry.prometheus.ca", "http://"),
        (
            {"telemetry": {"prometheus": {**SERVER, "token": "$TOKEN"}}},
            "telemetry.prometheus.token",
            "begins no ${NAME}",
        ),
        ({"telemetry": {"prometheus": {**SERVER, "token": "${my token}"}}}, "telemetry.prometheus.token", "begins no"),
        (
            {"telemetry": {"prometheus": {**SERVER, "headers": {"X Y": "z"}}}},
            "telemetry.prometheus.headers.X Y",
            "header name",
        ),
        (
            {"telemetry": {"prometheus": {**SERVER, "headers": {"X-Y": "z\r\nA: b"}}}},
            "telemetry.prometheus.headers.X-Y",
            "control characters",
        ),
        ({"notify": ["slack://shop"]}, "notify[0]", "is no address"),
        ({"notify": ["log", "$HOOK"]}, "notify[1]", "begins no ${NAME}"),
    ],
)
def test_what_does_not_fit_together_is_refused(keys: dict[str, Any], where: str, words: str) -> None:
    problem = the_problem(**keys)
    assert problem.where == where
    assert words in problem.found
    assert problem.right


def test_nothing_to_judge_is_refused_where_it_is() -> None:
    off = dict.fromkeys(("success_rate", "error_rate", "server_errors", "latency_p50", "latency_p99"), "off")
    assert [problem.where for problem in refused(gates=off)] == ["gates"]
    first = [{"weight": "100%", "soak": "5m", "gates": off}]
    assert the_problem(phases=first).where == "phases[0].gates"


def test_a_phases_own_limit_is_held_against_the_policys_abort() -> None:
    only = [{"weight": "100%", "soak": "5m", "gates": {"error_rate": {"max": "7%"}}}]
    problem = the_problem(phases=only)
    assert problem.where == "phases[0].gates.error_rate"
    assert "abort_above 5% does not lie above max 7%" in problem.found


@pytest.mark.parametrize("choice", ["hold", "abort"])
def test_certificates_can_be_demanded_where_no_limit_is_zero(choice: str) -> None:
    a_policy(phases=phases("50%", "100%"), on={"inconclusive": choice})
    problem = the_problem(phases=phases("100%"), gates={"success_rate": {"min": "100%"}}, on={"inconclusive": choice})
    assert "success_rate in gates can never be certified" in problem.found


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        (
            {"gates": custom(query="max(queue_depth)")},
            "gates.custom[0].query",
            "a dead canary at 5 % still reads 95.0 %",
        ),
        ({"gates": custom(query="rate(x{$canary}[3s])")}, "gates.custom[0].query", "under four scrapes"),
        (
            {"telemetry": {"prometheus": {**SERVER, "token": "abc"}}},
            "telemetry.prometheus.token",
            "a secret is written out",
        ),
        (
            {"telemetry": {"prometheus": {**SERVER, "basic": {"user": "u", "password": "p"}}}},
            "telemetry.prometheus.basic.password",
            "a secret is written out",
        ),
        (
            {"telemetry": {"prometheus": {**SERVER, "headers": {"X-Api-Key": "k", "X-Scope-OrgID": "shop"}}}},
            "telemetry.prometheus.headers.X-Api-Key",
            "a secret is written out",
        ),
        ({"telemetry": {"prometheus": {"url": "https://u:p@prometheus"}}}, "telemetry.prometheus.url", "written out"),
        ({"notify": ["https://hooks.slack.com/services/T/B/x"]}, "notify[0]", "written out"),
        ({"phases": phases("100%", soak="30s")}, "phases[0].soak", "latency_p50 is not asked for 1m"),
        (
            {"gates": {"success_rate": "off", "error_rate": "off", "server_errors": "off"}, "phases": phases("100%")},
            "gates",
            "no gate looks at errors",
        ),
    ],
)
def test_what_is_probably_not_meant_is_a_warning(keys: dict[str, Any], where: str, words: str) -> None:
    warning = a_policy(**keys).warnings[0]
    assert warning.where == where
    assert words in warning.found


def test_a_plain_policy_has_no_warnings() -> None:
    secret = {**SERVER, "token": "${TOKEN}", "headers": {"X-Scope-OrgID": "shop"}}
    assert a_policy().warnings == ()
    assert a_policy(telemetry={"prometheus": secret}, notify=["log", "${HOOK}", "http://127.0.0.1:9/x"]).warnings == ()
    assert a_policy(gates=custom(query='rate(x{$canary,a=~"b$"}[1m])')).warnings == ()

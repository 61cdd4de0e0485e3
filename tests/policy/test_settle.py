"""What a policy comes to for one release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from serinus.analysis.threshold import Bound, Guards, QueryGate, RateGate
from serinus.errors import PolicyError
from serinus.policy.load import by_name, read, to_plan
from serinus.release.plan import Inconclusive, Plan
from tests.policy.builders import a_policy, phases


def a_plan(**keys: Any) -> Plan:
    return to_plan(a_policy(**keys), "v2")


def gate(plan: Plan, name: str, phase: int = 1) -> RateGate:
    return next(gate for gate in plan.phases[phase].gates.rates if gate.name == name)


def test_every_default_is_resolved() -> None:
    plan = a_plan()
    assert (plan.checks.interval_seconds, plan.checks.scrape_seconds, plan.checks.window_seconds) == (15, 1, 60)
    assert (plan.checks.failures, plan.checks.min_requests, plan.checks.guards) == (3, 50, Guards.STRICT)
    assert plan.checks.burst is None
    assert (plan.limits.bad_requests, plan.limits.duration_seconds, plan.limits.extension) == (None, 3 * 3600, 1)
    assert (plan.limits.rollback_seconds, plan.limits.no_traffic_seconds, plan.limits.metrics_down_seconds) == (
        30,
        600,
        300,
    )
    assert plan.on.inconclusive is Inconclusive.ADVANCE
    assert (plan.target.workload, plan.target.router, plan.target.source) == ("local", "envoy", "envoy")
    assert plan.target.telemetry_options == {}
    assert plan.target.notify == ("log",)
    assert plan.min_replicas == 1


def test_a_latency_limit_is_a_rate_of_slow_requests() -> None:
    p99, p50 = gate(a_plan(), "latency_p99"), gate(a_plan(), "latency_p50")
    assert p99.limit == Bound("slow:0.5", 0.01, "max 500ms")
    assert p99.abort == Bound("slow:2", 0.01, "abort above 2s")
    assert p50.limit == Bound("slow:0.1", 0.5, "max 100ms")
    assert p99.warm_up_seconds == p50.warm_up_seconds == 60
    assert gate(a_plan(gates={"latency_p99.9": {"max": "1s"}}), "latency_p99.9").limit == Bound(
        "slow:1", 0.001, "max 1s"
    )


def test_success_is_the_complement_of_server_errors() -> None:
    success = gate(a_plan(), "success_rate")
    assert success.limit == Bound("server_errors", 0.01, "min 99%")
    assert success.abort == Bound("server_errors", 0.05, "abort below 95%")
    assert success.warm_up_seconds == 0


def test_a_phases_own_limit_keeps_the_policys_abort() -> None:
    first = gate(a_plan(), "error_rate", phase=0)
    assert first.limit == Bound("errors", 0, "max 0%")
    assert first.abort == Bound("errors", 0.05, "abort above 5%")
    assert first.slo == Bound("errors", 0.01, "max 1%")
    assert gate(a_plan(), "error_rate").slo is None


def test_a_gate_that_is_off_is_not_asked() -> None:
    own = [{"weight": "5%", "soak": "5m", "gates": {"latency_p99": "off"}}, *phases("100%")]
    plan = a_plan(gates={"latency_p50": "off"}, phases=own)
    names = [[gate.name for gate in phase.gates.rates] for phase in (*plan.phases, plan.bake)]
    rest = ["success_rate", "error_rate", "server_errors"]
    assert names == [rest, [*rest, "latency_p99"], [*rest, "latency_p99"]]


def test_warm_up_is_latencys_unless_a_gate_names_its_own() -> None:
    plan = a_plan(checks={"warm_up": "10s"}, gates={"error_rate": {"warm_up": "3s"}, "latency_p50": {"warm_up": "0s"}})
    warm_ups = {gate.name: gate.warm_up_seconds for gate in plan.phases[1].gates.rates}
    assert warm_ups == {"success_rate": 0, "error_rate": 3, "server_errors": 0, "latency_p50": 0, "latency_p99": 10}


def test_where_one_arm_serves_all_its_own_queries_are_asked_and_comparisons_rest() -> None:
    asked = {"mine": "a{$canary}", "theirs": "a{$stable}", "both": "a{$canary} / a{$stable}", "whole": "a"}
    custom = [{"name": name, "query": query, "max": 1} for name, query in asked.items()]
    plan = a_plan(gates={"custom": custom}, phases=phases("50%", "100%"))
    half, everything = ({one.name: one.query for one in phase.gates.queries} for phase in plan.phases)
    assert half == asked
    assert everything == {"mine": "a{$canary}", "whole": "a"}
    baking = {one.name: one.query for one in plan.bake.gates.queries}
    assert baking == {"mine": "a{$stable}", "theirs": "a{$stable}", "whole": "a"}
    assert plan.queries["mine: a{$stable}"] == "a{$stable}"


def test_a_query_keeps_its_words_and_its_unit() -> None:
    query: dict[str, Any] = {
        "name": "slowest",
        "query": "max(took_seconds{$canary})",
        "unit": "s",
        "max": "500ms",
        "abort_above": "2s",
    }
    deeper: dict[str, Any] = {"name": "depth", "query": "max(depth{$canary})", "max": 10}
    own = [{"weight": "5%", "soak": "5m", "gates": {"custom": [deeper]}}, *phases("100%")]
    plan = a_plan(gates={"custom": [query, {**deeper, "max": 100}]}, phases=own)
    slowest = QueryGate("slowest", query["query"], maximum=0.5, abort_above=2, unit="s")
    baking = (
        replace(slowest, query="max(took_seconds{$stable})"),
        QueryGate("depth", "max(depth{$stable})", maximum=100),
    )
    assert plan.bake.gates.queries == baking
    assert plan.phases[0].gates.queries == (slowest, QueryGate("depth", deeper["query"], maximum=10))


def test_telemetry_options_are_flat_and_secrets_stay_names() -> None:
    server = {
        "url": "https://p:9090",
        "basic": {"user": "u", "password": "${PASSWORD}"},
        "headers": {"X-Scope-OrgID": "shop"},
        "ca": "/ca.pem",
        "proxy": "http://proxy:3128",
    }
    plan = a_plan(telemetry={"prometheus": server})
    assert plan.target.telemetry_options == {
        "url": "https://p:9090",
        "basic.user": "u",
        "basic.password": "${PASSWORD}",
        "headers.X-Scope-OrgID": "shop",
        "ca": "/ca.pem",
        "proxy": "http://proxy:3128",
    }
    assert plan.checks.scrape_seconds == 15


def test_a_long_release_gets_a_long_deadline() -> None:
    assert a_plan(phases=phases("50%", "100%", soak="4h")).limits.duration_seconds == 2 * (8 * 3600 + 600)


def test_a_rehearsal_divides_and_keeps_what_must_stay() -> None:
    plan = a_plan(rehearsal={"speed": 30})
    assert [phase.soak_seconds for phase in plan.phases] == [10, 20, 30, 40, 20]
    assert plan.bake.soak_seconds == 20
    assert (plan.checks.interval_seconds, plan.checks.window_seconds, plan.checks.scrape_seconds) == (1, 5, 1)
    assert gate(plan, "latency_p99").warm_up_seconds == 2
    assert gate(plan, "error_rate").warm_up_seconds == 0
    assert (plan.limits.duration_seconds, plan.limits.no_traffic_seconds) == (360, 20)
    assert (plan.limits.metrics_down_seconds, plan.limits.rollback_seconds, plan.limits.extension) == (10, 30, 1)
    assert gate(plan, "latency_p99").limit == Bound("slow:0.5", 0.01, "max 500ms")


def test_a_rehearsal_never_looks_more_often_than_a_scrape() -> None:
    plan = a_plan(rehearsal={"speed": 1000}, telemetry={"prometheus": {"url": "http://p"}})
    assert (plan.checks.interval_seconds, plan.checks.window_seconds) == (15, 60)
    assert (plan.limits.no_traffic_seconds, plan.limits.metrics_down_seconds) == (75, 75)
    assert gate(plan, "latency_p99").warm_up_seconds == 15


def test_the_demos_plan_is_what_it_promises() -> None:
    plan = to_plan(read(by_name("shop")), "v2")
    assert [(phase.weight.percent, phase.soak_seconds) for phase in plan.phases] == [
        (w, 8) for w in (5, 10, 25, 50, 100)
    ]
    assert plan.bake.soak_seconds == 8
    assert (plan.checks.interval_seconds, plan.checks.scrape_seconds, plan.checks.window_seconds) == (1, 1, 5)
    assert plan.checks.burst == 1
    assert plan.checks.min_requests < 200 * 0.05 * 8
    theirs = to_plan(a_policy(checks={"warm_up": "2s"}), "v2")
    assert [phase.gates for phase in plan.phases] == [phase.gates for phase in theirs.phases]


@pytest.mark.parametrize("version", ["v2", "1.2.3-rc.1", "_x", "sha256:" + "a" * 64])
def test_a_tag_or_digest_is_a_version(version: str) -> None:
    assert to_plan(a_policy(), version).version == version


@pytest.mark.parametrize("version", ["", " ", "v 2", "v2\n", "-v2", ".v2", "a/b", "a" * 129, "sha256:abc", "ü"])
def test_anything_else_is_none(version: str) -> None:
    with pytest.raises(PolicyError, match="is no version"):
        to_plan(a_policy(), version)

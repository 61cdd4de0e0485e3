"""What is told before a release: what each phase will see, what it cannot prove, which limits never decide."""

from __future__ import annotations

import pytest

from serinus.policy.explain import explain
from tests.policy.builders import a_policy, phases


def test_each_phase_says_what_it_will_see() -> None:
    told = explain(a_policy(), "v2", 200)
    assert [phase.requests for phase in told.phases] == pytest.approx([3000, 12000, 45000, 120000, 120000])
    assert told.bake.requests == 120000
    assert told.canary_requests == pytest.approx(300000)
    assert told.seconds == 4200
    assert not any(phase.thin for phase in told.phases)
    assert [phase.thin for phase in explain(a_policy(), "v2", 1).phases] == [True, False, False, False, False]


def test_each_phase_says_what_it_cannot_certify() -> None:
    first = {gate.name: gate for gate in explain(a_policy(), "v2", 200).phases[0].gates}
    assert first["success_rate"].needed == 367
    assert first["server_errors"].needed == 3678
    assert first["server_errors"].missing == 678
    assert first["success_rate"].missing == 0
    assert first["error_rate"].needed is None
    assert first["latency_p99"].expected == pytest.approx(200 * 0.05 * 240)
    enough = {gate.name: gate for gate in explain(a_policy(), "v2", 250).phases[0].gates}
    assert enough["server_errors"].missing == 0


def test_without_a_rate_nothing_is_promised() -> None:
    told = explain(a_policy(), "v2")
    assert told.canary_requests is None
    assert told.phases[0].requests is None
    assert all(gate.missing is None for gate in told.phases[0].gates)
    assert {gate.needed for gate in told.phases[1].gates} == {367, 3678, 6}


def test_the_plans_own_success_rate_never_decides() -> None:
    assert explain(a_policy(), "v2").idle == (
        "success_rate min 99% adds nothing: server_errors max 0.1% is as strict or stricter",
        "success_rate abort below 95% adds nothing: error_rate abort above 5% is as strict or stricter",
    )


def test_limits_that_each_decide_are_not_idle() -> None:
    gates = {"server_errors": {"max": "2%"}, "success_rate": {"min": "99%", "abort_below": "96%"}}
    assert explain(a_policy(gates=gates), "v2").idle == (
        "server_errors max 2% adds nothing: success_rate min 99% is as strict or stricter",
        "success_rate min 99% adds nothing: error_rate max 1% is as strict or stricter (at 10 %, 25 %, 50 %, 100 %)",
    )
    warm = {"server_errors": {"max": "0.1%", "warm_up": "30s"}, "error_rate": {"max": "2%"}}
    told = explain(a_policy(gates=warm, phases=phases("100%")), "v2").idle
    assert not [sentence for sentence in told if sentence.startswith("success_rate min")]


def test_a_stricter_latency_makes_another_idle() -> None:
    told = explain(a_policy(gates={"latency_p99.5": {"max": "400ms"}}), "v2").idle
    assert "latency_p99 max 500ms adds nothing: latency_p99.5 max 400ms is as strict or stricter" in told


def test_two_equal_limits_leave_one_that_decides() -> None:
    gates = {"success_rate": {"min": "99.9%"}}
    idle = explain(a_policy(gates=gates, phases=phases("100%")), "v2").idle
    assert [sentence.split(" adds")[0] for sentence in idle] == [
        "server_errors max 0.1%",
        "success_rate abort below 95%",
    ]


def test_every_setting_says_where_it_comes_from() -> None:
    told = {row.key: row for row in explain(a_policy(checks={"interval": "10s"}), "v2").settings}
    assert (told["checks.interval"].value, told["checks.interval"].origin) == ("10s", "written")
    assert (told["checks.window"].value, told["checks.window"].origin) == ("1m", "preset plan")
    assert (told["limits.rollback"].value, told["limits.rollback"].origin) == ("30s", "default")
    assert all(row.value and not row.becomes for row in told.values())


def test_a_rehearsal_is_shown_number_by_number() -> None:
    told = explain(a_policy(rehearsal={"speed": 30}), "v2", 200)
    became = {row.key: (row.value, row.becomes) for row in told.settings if row.becomes}
    assert became == {
        "bake": ("10m", "20s"),
        "checks.interval": ("15s", "1s"),
        "checks.window": ("1m", "5s"),
        "checks.warm_up": ("1m", "2s"),
        "limits.duration": ("3h", "6m"),
        "limits.no_traffic": ("10m", "20s"),
        "limits.metrics_down": ("5m", "10s"),
    }
    assert (told.phases[0].written_seconds, told.phases[0].soak_seconds, told.phases[0].requests) == (300, 10, 100)


def test_a_query_shows_its_limits() -> None:
    query = {"name": "depth", "query": "max(depth{$canary})", "max": 100, "abort_above": 500, "unit": "jobs"}
    (view,) = (gate for gate in explain(a_policy(gates={"custom": [query]}), "v2").bake.gates if gate.name == "depth")
    assert (view.limit, view.abort, view.needed) == ("max 100 jobs", "abort above 500 jobs", None)

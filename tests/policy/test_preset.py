"""The preset against the plan's own table, number by number."""

from __future__ import annotations

from pathlib import Path

from serinus.policy.load import to_plan
from serinus.policy.preset import PLAN, applied
from serinus.policy.unit import percent, seconds
from tests.policy.builders import a_policy, phases


def tables() -> list[list[dict[str, str]]]:
    """Each table of the plan as rows by column."""
    found: list[list[dict[str, str]]] = []
    for block in Path(__file__).with_name("plan_table.md").read_text(encoding="utf-8").split("\n\n")[1:]:
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.strip().splitlines()]
        found.append([dict(zip(rows[0], row, strict=True)) for row in rows[2:]])
    return found


def test_the_phases_are_the_plans() -> None:
    rows = tables()[0]
    plan = to_plan(a_policy(), "v2")
    assert len(plan.phases) == len(rows)
    for phase, row in zip(plan.phases, rows, strict=True):
        assert phase.weight.percent == percent(row["weight"])
        limit = next(gate.limit for gate in phase.gates.rates if gate.name == "error_rate")
        assert limit is not None
        assert (limit.allowed == 0) == (row["errors allowed"] == "none")
        if row["soak"] != "-":
            assert phase.soak_seconds == seconds(row["soak"].replace(" min", "m"))
    assert (plan.phases[-1].soak_seconds, plan.bake.soak_seconds) == (600, 600)


def test_the_limits_are_the_plans() -> None:
    rows = {row["gate"]: row for row in tables()[1]}
    plan = to_plan(a_policy(), "v2")
    gates = {gate.name: gate for gate in plan.phases[1].gates.rates}
    assert gates.keys() == rows.keys()
    for name, gate in gates.items():
        figure = rows[name]["limit"].lstrip("≥<")
        assert gate.limit is not None
        assert gate.limit.text in (f"max {figure}", f"min {figure}")
        assert plan.checks.window_seconds == seconds(rows[name]["window"].replace(" min", "m"))
    allowed = {name: gate.limit.allowed for name, gate in gates.items() if gate.limit}
    assert allowed == {
        "success_rate": 0.01,
        "error_rate": 0.01,
        "server_errors": 0.001,
        "latency_p50": 0.5,
        "latency_p99": 0.01,
    }


def test_the_abort_conditions_are_the_plans() -> None:
    rows = {row["abort"]: float(row["figure"]) for row in tables()[2]}
    plan = to_plan(a_policy(), "v2")
    aborts = {gate.name: gate.abort for gate in plan.phases[0].gates.rates if gate.abort is not None}
    assert aborts["success_rate"].allowed == (100 - rows["success_rate_min"]) / 100
    assert aborts["error_rate"].allowed == rows["error_rate_max"] / 100
    assert aborts["latency_p99"].bad == f"slow:{rows['latency_p99_max'] / 1000:g}"
    assert len(aborts) == 3
    assert plan.checks.failures == rows["consecutive_failures"]


def test_keys_beside_the_preset_override_its_own() -> None:
    content = a_policy(gates={"error_rate": {"max": "2%"}}, bake="1m", phases=phases("20%", "100%")).content
    assert (content.gates.error_rate and content.gates.error_rate.max) == 2
    assert (content.gates.error_rate and content.gates.error_rate.abort_above) == 5
    assert content.gates.server_errors is not None
    assert content.bake == 60
    assert [phase.weight for phase in content.phases] == [20, 100]
    assert content.checks.window == 60


def test_filling_in_changes_neither_side() -> None:
    data = {"preset": "plan", "gates": {"error_rate": {"max": "2%"}}}
    assert applied(data)["gates"]["error_rate"] == {"max": "2%", "abort_above": "5%"}
    assert data == {"preset": "plan", "gates": {"error_rate": {"max": "2%"}}}
    assert PLAN["gates"]["error_rate"]["max"] == "1%"

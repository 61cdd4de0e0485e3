"""What a plan asks of the metrics."""

from __future__ import annotations

from dataclasses import replace

from serinus.analysis.threshold import Gates, QueryGate
from serinus.release.plan import Plan
from tests.release.builders import a_plan

LAG = QueryGate("lag", "max(lag)", maximum=5)
SLOW_LAG = QueryGate("lag", "max_over_time(lag[5m])", maximum=5)
QUEUE = QueryGate("queue", "sum(queue)", maximum=10)


def asking(*custom: tuple[QueryGate, ...]) -> Plan:
    """A plan whose phases ask these, the last one in the bake."""
    plan = a_plan(*range(10, 10 * len(custom), 10))
    phases = tuple(replace(p, gates=Gates(queries=asked)) for p, asked in zip(plan.phases, custom[:-1], strict=True))
    return replace(plan, phases=phases, bake=replace(plan.bake, gates=Gates(queries=custom[-1])))


def test_what_every_phase_asks_alike_bears_its_name() -> None:
    assert asking((LAG,), (LAG, QUEUE), (LAG,)).queries == {"lag": LAG.query, "queue": QUEUE.query}


def test_what_differs_between_phases_is_asked_each_by_itself() -> None:
    plan = asking((LAG,), (SLOW_LAG, QUEUE), (LAG,))
    assert set(plan.queries.values()) == {LAG.query, SLOW_LAG.query, QUEUE.query}
    assert plan.key(LAG) != plan.key(SLOW_LAG)
    assert plan.queries[plan.key(SLOW_LAG)] == SLOW_LAG.query

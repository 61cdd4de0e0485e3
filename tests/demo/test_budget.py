"""What is counted of a release's calls and bytes, held against the promises of an hour."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.budget import policy
from bench.counted import Counted, by_key, by_kind, measures, written
from bench.etcd import Written
from serinus.errors import Unavailable
from serinus.local.cluster.audit import Call
from serinus.local.traffic import Sent
from serinus.wiring import plan_of

BEGAN = datetime(2026, 11, 24, 12, tzinfo=UTC)
COUNTERS = {"log_bytes": 1000.0}


def a_call(
    second: int, verb: str = "patch", resource: str = "configmaps", *, selected: bool = True, code: int = 200
) -> Call:
    name = "" if verb in ("list", "watch") else "serinus-shop"
    return Call("serinus", verb, resource, "bench", name, selected, code, BEGAN + timedelta(seconds=second))


def an_hour(calls: int, checks: int = 240, size: int = 1_000_000, *more: Call) -> Counted:
    made = (a_call(0, "list", "networkpolicies", selected=False), a_call(1, "create"), *more)
    made += tuple(a_call(2 + 3600 * n // calls) for n in range(calls - len(made)))
    keys = {"configmaps/bench/serinus-shop": size, "pods/bench/a": 10, "pods/bench/b": 20}
    puts = dict.fromkeys(keys, 3)
    sent = Sent(3600.0, {200: 100})
    checked = tuple(BEGAN + timedelta(seconds=1 + 15 * n) for n in range(checks))
    return Counted("promoted", "it is well", 3600.0, checked, made, keys, puts, COUNTERS, COUNTERS, sent)


def met(found: Counted) -> dict[str, bool | None]:
    return {one.name: one.met for one in measures(found) if one.goal}


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        (an_hour(900), set()),
        (an_hour(961), {"calls a check"}),
        (an_hour(2001, 600), {"calls an hour"}),
        (an_hour(900, 240, 10_000_001), {"bytes to etcd an hour"}),
        (an_hour(900, 240, 1, a_call(5, "watch", "pods", selected=False)), {"lists without a selector"}),
        (replace(an_hour(900), ended="rolled back"), {"release"}),
    ],
)
def test_each_promise_is_broken_by_itself(found: Counted, broken: set[str]) -> None:
    assert {name for name, kept in met(found).items() if not kept} == broken


def test_some_minutes_do_not_judge_an_hour() -> None:
    assert met(replace(an_hour(5000), seconds=300.0))["calls an hour"] is None


def test_what_a_check_costs_is_told_where_nothing_else_was_done() -> None:
    moved = a_call(20, resource="httpproxies.projectcontour.io")
    assert set(an_hour(4 * 240 + 3, 240, 1, moved).between[:50]) <= {3, 4, 5}
    assert len(an_hour(900).between) - len(an_hour(900, 240, 1, moved).between) == 1


def test_calls_and_bytes_are_summed_by_what_they_are_of(tmp_path: Path) -> None:
    found = an_hour(900, 240, 500, a_call(5, code=409))
    assert by_kind(found)["patch configmaps 409"] == 1
    assert by_key(found) == {"configmaps serinus-shop": [500, 3], "pods": [30, 6]}
    assert written(found, 60, tmp_path).name.endswith("-budget.json")


def answered(*events: dict[str, Any]) -> dict[str, Any]:
    return {"result": {"header": {"revision": "7"}, "events": list(events)}}


def test_every_put_is_counted_by_key_and_value() -> None:
    found = Written()
    key, value = (b64encode(text).decode() for text in (b"/registry/pods/bench/a", b"12345"))
    found.take(answered({"kv": {"key": key, "value": value}}, {"type": "DELETE", "kv": {"key": key}}))
    found.take(answered({"kv": {"key": key, "value": value}}))
    assert (found.bytes["pods/bench/a"], found.puts["pods/bench/a"], found.revision) == (54, 2, 7)
    with pytest.raises(Unavailable, match="compacted"):
        found.take({"result": {"header": {}, "canceled": True, "cancel_reason": "compacted"}})


@pytest.mark.parametrize("minutes", [2, 5, 60])
def test_its_policy_is_the_default_one_where_there_is_time(minutes: float) -> None:
    plan = plan_of("shop", "v1.1", policy("http://127.0.0.1:9091", minutes))
    assert plan.checks.interval_seconds == 15
    assert (plan.checks.min_requests == 50) is (minutes == 60)

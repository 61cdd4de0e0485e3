"""Somebody sets the wall clock back in mid-release: only what people read is another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import serinus
from serinus.release.evidence import verify
from serinus.release.record import Record
from tests.clock import FakeClock
from tests.fakes import FakeWorld, Version, a_world
from tests.moves.driver import release
from tests.release.builders import a_plan

HERE = Path(serinus.__file__).parent
WALLS = {"wall", "now", "utcnow", "today", "time", "time_ns", "gmtime", "localtime", "st_mtime", "st_ctime"}
"""How a program asks for the time of day."""
CLOCKS = {"time", "datetime", "datetime.datetime", "date", "datetime.date"}
ALLOWED = {
    "clock.py": "the port itself",
    "wiring.py": "a release's name is sortable",
    "stores/revisions.py": "two times of the same disk",
    "cli/logs.py": "which file a person means who names none",
    "kube/telling.py": "when kubectl was told",
    "local/cluster/credentials.py": "how long a certificate lasts",
    "local/cluster/node/logs.py": "a container's lines, as a kubelet keeps them",
    "local/cluster/node/site.py": "a pod's status, as a kubelet writes it",
    "cli/queue.py": "a run that is planned for later is not waited for",
    "cli/status.py": "whether an engine is silent, for a person who looks once; nothing follows from it",
}
PARSING = {
    "local/cluster/audit.py": "an audit's times are the server's",
    "cli/glance.py": "as `cli/status.py`",
}


class GoesBack(FakeClock):
    """Its wall clock is set back an hour at every look."""

    def wall(self) -> str:
        self.epoch -= timedelta(hours=1)
        return super().wall()


@pytest.mark.parametrize("canary", [Version(), Version(errors=0.5)], ids=["good", "bad"])
async def test_a_release_is_the_same_whatever_the_wall_clock_says(canary: Version) -> None:
    def a_shop() -> FakeWorld:
        return a_world(versions={"v1": Version(), "v2": canary}, rollout_seconds=2.0)

    plain, odd = a_shop(), a_shop()
    plan = a_plan(5, 50, 100, soak=3, bake=3)
    once = await release(plain, plan)
    odd.clock.__class__ = GoesBack
    again = await release(odd, plan)
    assert timeless(again) == timeless(once)
    assert [write.weight for write in odd.routes] == [write.weight for write in plain.routes]
    assert verify(await odd.ledger.lines(again.release), again.head) == ()


def timeless(record: Record) -> Record:
    return replace(record, lines=(), head=type(record.head)(record.head.n), owner="")


def asked(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.AST]]:
    """Where the time of day is asked for, and the node above it."""
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WALLS:
            if node.func.attr == "wall" or ast.unparse(node.func.value) in CLOCKS:
                yield node, above[node]
        elif isinstance(node, ast.Attribute) and node.attr in ("st_mtime", "st_ctime"):
            yield node, above[node]


def is_told(parent: ast.AST) -> bool:
    """It is an argument of what people read: a line of evidence, or how a route was closed."""
    if not isinstance(parent, ast.Call):
        return False
    called = ast.unparse(parent.func)
    return called.rpartition(".")[2] in ("say", "Closed")


def test_no_decision_asks_for_the_time_of_day() -> None:
    found = []
    for path in sorted(HERE.rglob("*.py")):
        name = str(path.relative_to(HERE))
        if name in ALLOWED:
            continue
        for node, parent in asked(ast.parse(path.read_text())):
            if not is_told(parent):
                found.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    assert not found, "\n".join(found)


def test_what_is_told_at_a_time_is_never_read_back_as_one() -> None:
    """Nothing that decides parses a time: no line of evidence can decide by the moment that stands on it."""
    parsing = {"fromisoformat", "strptime", "parse_date", "mktime"}
    for path in sorted(set(HERE.rglob("*.py")) - {HERE / name for name in PARSING}):
        used = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not used & parsing, path


def test_the_clock_is_monotonic_and_the_wall_is_utc() -> None:
    from serinus.clock import SystemClock

    clock = SystemClock()
    first = clock.monotonic()
    assert clock.monotonic() >= first
    assert datetime.fromisoformat(clock.wall()).tzinfo == UTC

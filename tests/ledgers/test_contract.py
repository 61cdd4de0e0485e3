"""What every ledger promises; run over the fake, the file, and ConfigMaps of a real Kubernetes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import pytest

from serinus.analysis.threshold import Checks, Gates
from serinus.errors import Conflict, Refused
from serinus.kube.connecting import connect
from serinus.ledgers.file import FileLedger
from serinus.ledgers.kubernetes import KubernetesLedger
from serinus.ports import Ledger
from serinus.release.evidence import Head, Line, following, verify
from serinus.release.plan import Limits, On, Phase, Plan, Target
from serinus.release.record import Ask, Foreign, Previous, Record, State, Verb
from serinus.release.weight import NOTHING, Weight
from serinus.settings import Folders
from serinus.stores.revisions import Store
from tests.cluster.access import Access
from tests.fakes import a_world

FOREIGN = b'{"schema": 2, "release": "r-9", "token": 9, "owner": "x", "beat": 4, "ended": false, "new": true}'


@dataclass(frozen=True)
class Bench:
    ledger: Ledger
    put: Callable[[bytes], object]
    """Somebody else writes the record."""


@pytest.fixture(params=["fake", "file", pytest.param("kubernetes", marks=pytest.mark.cluster)])
async def bench(request: pytest.FixtureRequest, folders: Folders) -> AsyncIterator[Bench]:
    if request.param == "fake":
        fake = a_world().ledger
        yield Bench(fake, fake.put)
    elif request.param == "file":
        store = Store(folders.service("shop") / "record")
        yield Bench(FileLedger(folders, "shop"), lambda stored: store.write(stored, (store.read() or (0, b""))[0]))
    else:
        space: Access = request.getfixturevalue("space")
        kube = await connect(str(space.kubeconfig), namespace=space.namespace)
        yield Bench(KubernetesLedger(kube, "shop"), lambda stored: put_by_hand(space, stored))
        await kube.aclose()


def put_by_hand(space: Access, stored: bytes) -> None:
    record = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "serinus-shop"}}
    space.kubectl("apply", "-f", "-", given=json.dumps({**record, "data": {"record": stored.decode()}}))


def a_record(**changes: object) -> Record:
    phase = Phase(Weight.of(5), 10, Gates())
    plan = Plan(
        service="shop",
        version="v2",
        phases=(phase,),
        bake=replace(phase, weight=NOTHING),
        checks=Checks(1, 1, 2),
        limits=Limits(10, 600, 1, 1, 30, 30),
        on=On(),
        target=Target("local", "envoy", "envoy"),
    )
    record = Record("r-1", 1, "me", plan, Previous("{}", "v1", 3))
    return replace(record, **changes)  # type: ignore[arg-type]


def some_lines(count: int, head: Head | None = None) -> list[Line]:
    lines: list[Line] = []
    head = head or Head()
    for number in range(count):
        lines.append(following(head, "2030-01-01T00:00:00Z", number, "check", {"é": "ü" * number}))
        head = lines[-1].head
    return lines


def an_ask(name: str = "a") -> Ask:
    return Ask(name, Verb.ABORT, "kim", "it smells")


async def test_there_is_none_at_first(bench: Bench) -> None:
    assert await bench.ledger.read() is None
    assert await bench.ledger.lines("r-1") == ()


async def test_what_was_written_is_read(bench: Bench) -> None:
    record = a_record().say("2030-01-01T00:00:00Z", 0.25, "plan", weight=5.0, why="a start")
    kept = await bench.ledger.write(record, None)
    again = await bench.ledger.read()
    assert again == kept
    assert again.record == record


async def test_a_write_goes_on_what_was_read_alone(bench: Bench) -> None:
    first = await bench.ledger.write(a_record(), None)
    second = await bench.ledger.write(a_record(beat=2), first.version)
    for version in (None, first.version):
        with pytest.raises(Conflict):
            await bench.ledger.write(a_record(beat=9), version)
    assert await bench.ledger.read() == second


async def test_an_identical_write_is_a_new_version(bench: Bench) -> None:
    first = await bench.ledger.write(a_record(), None)
    second = await bench.ledger.write(a_record(), first.version)
    assert second.version != first.version
    with pytest.raises(Conflict):
        await bench.ledger.write(a_record(), first.version)


async def test_of_several_writers_one_wins(bench: Bench) -> None:
    kept = await bench.ledger.write(a_record(), None)
    writes = [bench.ledger.write(a_record(owner=str(name)), kept.version) for name in range(5)]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 4


async def test_an_ended_record_is_kept_and_replaced(bench: Bench) -> None:
    ended = await bench.ledger.write(a_record(state=State.PROMOTED, ended=True), None)
    kept = await bench.ledger.write(a_record(release="r-2", token=2), ended.version)
    assert kept.record.release == "r-2"


async def test_anybody_asks_and_twice_is_once(bench: Bench) -> None:
    await bench.ledger.write(a_record(), None)
    await bench.ledger.ask(an_ask("a"))
    await bench.ledger.ask(an_ask("b"))
    kept = await bench.ledger.ask(an_ask("a"))
    assert isinstance(kept.record, Record)
    assert kept.record.inbox == (an_ask("a"), an_ask("b"))
    assert await bench.ledger.read() == kept


async def test_asking_succeeds_whoever_writes_in_between(bench: Bench) -> None:
    await bench.ledger.write(a_record(), None)
    await asyncio.gather(*(bench.ledger.ask(an_ask(str(name))) for name in range(6)))
    kept = await bench.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    assert {ask.id for ask in kept.record.inbox} == set("012345")


@pytest.mark.parametrize("ended", [True, False])
async def test_where_nothing_is_live_nothing_is_asked(bench: Bench, ended: bool) -> None:
    if ended:
        await bench.ledger.write(a_record(ended=True, state=State.ROLLED_BACK), None)
    with pytest.raises(Refused, match="live"):
        await bench.ledger.ask(an_ask())


async def test_what_is_asked_of_a_named_release_reaches_no_other(bench: Bench) -> None:
    kept = await bench.ledger.write(a_record(), None)
    named = kept.record.release
    assert (await bench.ledger.ask(an_ask("a"), named)).record.release == named
    with pytest.raises(Refused, match="ended before"):
        await bench.ledger.ask(an_ask("b"), "the-one-before")
    now = await bench.ledger.read()
    assert now is not None
    assert isinstance(now.record, Record)
    assert now.record.inbox == (an_ask("a"),)


async def test_of_a_foreign_record_the_fixed_part_is_read_and_nothing_asked(bench: Bench) -> None:
    bench.put(FOREIGN)
    kept = await bench.ledger.read()
    assert kept is not None
    assert kept.record == Foreign(2, "r-9", 9, "x", 4, False)
    with pytest.raises(Refused, match="schema 2"):
        await bench.ledger.ask(an_ask())
    written = await bench.ledger.write(a_record(token=10), kept.version)
    assert await bench.ledger.read() == written


async def test_what_is_no_record_is_said(bench: Bench) -> None:
    bench.put(b'{"schema": "one"}')
    with pytest.raises(Refused, match="record"):
        await bench.ledger.read()


async def test_lines_are_kept_in_order_and_once(bench: Bench) -> None:
    lines = some_lines(5)
    await bench.ledger.append("r-1", lines[:2])
    await bench.ledger.append("r-1", lines[1:4])
    await bench.ledger.append("r-1", lines)
    await bench.ledger.append("r-1", lines[:1])
    held = await bench.ledger.lines("r-1")
    assert held == tuple(line.text for line in lines)
    assert verify(held, lines[-1].head) == ()
    assert await bench.ledger.lines("r-2") == ()


async def test_two_who_append_the_same_write_it_once(bench: Bench) -> None:
    lines = some_lines(20)
    await asyncio.gather(*(bench.ledger.append("r-1", lines) for _ in range(4)))
    assert await bench.ledger.lines("r-1") == tuple(line.text for line in lines)


async def test_a_gap_is_refused(bench: Bench) -> None:
    lines = some_lines(4)
    await bench.ledger.append("r-1", lines[:1])
    with pytest.raises(Refused, match="line 3"):
        await bench.ledger.append("r-1", lines[2:])
    assert await bench.ledger.lines("r-1") == (lines[0].text,)


async def test_another_chain_is_refused(bench: Bench) -> None:
    lines = some_lines(3)
    other = some_lines(3, replace(Head(), hash="1" * 64))
    await bench.ledger.append("r-1", lines[:2])
    for wrong in (other[1:], [*lines[:2], other[2]]):
        with pytest.raises(Refused, match="line"):
            await bench.ledger.append("r-1", wrong)
    assert await bench.ledger.lines("r-1") == tuple(line.text for line in lines[:2])


async def test_nothing_to_append_is_nothing_done(bench: Bench) -> None:
    await bench.ledger.append("r-1", [])
    assert await bench.ledger.lines("r-1") == ()

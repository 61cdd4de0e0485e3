"""The whole story by a real Prefect server, over a service in memory: what it says, and what becomes of it without the server."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import State

import flows.release as story
import flows.rollback as back
import flows.subflow
import tasks.cancel
import tasks.show
from flows import start
from serinus import wiring
from serinus.errors import Conflict, Unavailable
from serinus.moves.ask import abort
from serinus.moves.take_over import take_over
from serinus.ports import Ports
from serinus.release.evidence import parse, verify
from serinus.release.plan import Plan, Target
from serinus.release.record import Record
from serinus.release.record import State as Stands
from serinus.release.weight import NOTHING, Weight
from serinus.settings import Folders
from serinus.wiring import LOCAL
from tests.fakes import FakeWorld, Fault, Version, a_world
from tests.flows.over_fakes import entering, ports
from tests.flows.serving import PrefectServer
from tests.release.builders import a_plan

pytestmark = pytest.mark.real
WATCHED = ["shift 5 %", "hold 5 %", "gate 5 %", "shift 50 %", "hold 50 %", "gate 50 %"]


class Release:
    """One release of this process over one world."""

    def __init__(self, world: FakeWorld, folders: Folders, monkeypatch: pytest.MonkeyPatch, plan: Plan) -> None:
        self.world = world
        monkeypatch.setattr(story, "enter", entering(world, folders, plan))

    async def created(self) -> start.Created:
        return await start.create("shop", "v2", key=uuid4().hex, here=True)

    async def run(self) -> tuple[start.Created, State[Any]]:
        made = await self.created()
        return made, await start.run_here(made)

    async def record(self) -> Record:
        kept = await self.world.ledger.read()
        assert kept is not None
        assert isinstance(kept.record, Record)
        return kept.record

    async def until(self, condition: Callable[[Record], bool], seconds: float = 30.0) -> Record:
        async with asyncio.timeout(seconds):
            while True:
                kept = await self.world.ledger.read()
                if kept is not None and isinstance(kept.record, Record) and condition(kept.record):
                    return kept.record
                await asyncio.sleep(0.02)

    async def evidence(self) -> tuple[str, ...]:
        return await self.world.ledger.lines((await self.record()).release)


Make = Callable[..., Release]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours pass in moments here, and SQLite takes seconds for what they bring: a subflow may open late."""
    monkeypatch.setattr(flows.subflow, "OPEN_SECONDS", 30.0)


@pytest.fixture
def over(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Make:
    def make(world: FakeWorld | None = None, plan: Plan | None = None) -> Release:
        return Release(world or a_world(), folders, monkeypatch, plan or a_plan(5, 50, 100))

    return make


def bad(errors: float = 0.3) -> FakeWorld:
    return a_world(versions={"v1": Version(), "v2": Version(errors=errors)})


async def seen(read: Callable[[], Any], there: Callable[[Any], bool], seconds: float = 20.0) -> Any:
    """What the server shows, once it shows it: task runs and events reach it after the moves."""
    async with asyncio.timeout(seconds):
        while not there(found := await asyncio.to_thread(read)):
            await asyncio.sleep(0.1)
    return found


@pytest.mark.usefixtures("patient")
async def test_a_good_release_reads_by_itself(prefect: PrefectServer, over: Make) -> None:
    release = over()
    made, state = await release.run()
    record = await release.record()
    assert (state.name, state.type) == ("Promoted", "COMPLETED")
    assert (record.state, record.run, record.key) == (Stands.PROMOTED, made.url, made.run.idempotency_key)
    run = prefect.run(made.run.id)
    assert (run["name"], run["state_name"]) == ("shop v2", "Promoted")
    assert set(run["tags"]) == {"canary", "service:shop", "version:v2"}
    assert run["deployment_id"] is not None
    names = ["preflight", "acquire shop", "start v2", *WATCHED, "shift 100 %", "hold 100 %", "gate 100 %"]
    shown = await seen(lambda: prefect.tasks(made.run.id), lambda found: len(found) > len(names))
    assert [task["name"] for task in shown][: len(names)] == names
    assert not [task["name"] for task in shown if task["tags"]]
    [promotion] = prefect.subflows(made.run.id)
    assert (promotion["name"], promotion["state_name"]) == ("v2 becomes stable", "Promoted")
    inner = await seen(lambda: prefect.tasks(promotion["id"]), lambda found: len(found) == 5)
    assert [task["name"] for task in inner] == ["roll out v2", "hold bake", "gate bake", "finish", "tell people"]


@pytest.mark.usefixtures("patient")
async def test_every_task_is_drawn_after_the_one_that_it_follows(prefect: PrefectServer, over: Make) -> None:
    made, _ = await over().run()
    shown = await seen(lambda: prefect.tasks(made.run.id), lambda found: len(found) >= 13)
    names = {task["id"]: task["name"] for task in shown}
    before = [
        [names[link["id"]] for links in task["task_inputs"].values() for link in links if link.get("id") in names]
        for task in shown
    ]
    assert before == [[], *([task["name"]] for task in shown[:-1])]


@pytest.mark.usefixtures("patient")
async def test_a_breach_is_red_and_the_rollback_bears_its_reason(prefect: PrefectServer, over: Make) -> None:
    release = over(bad())
    made, state = await release.run()
    record = await release.record()
    assert (state.name, state.type, record.state) == ("RolledBack", "FAILED", Stands.ROLLED_BACK)
    assert "at 5 %; all traffic on stable" in (state.message or "")
    shown = await seen(lambda: prefect.tasks(made.run.id), lambda found: len(found) >= 7)
    [gate] = [task for task in shown if task["name"] == "gate 5 %"]
    assert (gate["state_type"], gate["state_name"], gate["run_count"]) == ("FAILED", "Breached", 1)
    [rollback] = prefect.subflows(made.run.id)
    assert rollback["name"] == f"{gate['state']['message']} at 5 %"
    inner = await seen(lambda: prefect.tasks(rollback["id"]), lambda found: len(found) == 3)
    assert [task["name"] for task in inner] == ["traffic to stable", "retire canary", "tell people"]
    assert release.world.serving == NOTHING


async def test_its_page_has_bar_timeline_and_report(prefect: PrefectServer, over: Make) -> None:
    release = over(bad())
    made, _ = await release.run()
    record = await release.record()
    cards = prefect.artifacts(made.run.id)
    assert {card["type"] for card in cards.values()} == {"progress", "table", "markdown"}
    report = cards["shop-report"]["data"]
    assert record.head.hash in report
    assert record.outcome is not None
    assert record.outcome.why in report
    moves = [line["move"] for line in json.loads(cards["shop-timeline"]["data"])]
    assert moves == ["acquire", "start v2", "shift 5 %", "hold 5 %", "gate 5 %", "traffic to stable", "retire canary"]
    events = await seen(lambda: prefect.events(record.release), lambda found: "serinus.rolled-back" in found)
    assert events[:4] == ["serinus.acquire", "serinus.start", "serinus.shift", "serinus.hold"]


@pytest.mark.usefixtures("patient")
async def test_a_bad_bake_is_a_red_promotion_and_a_rollback(prefect: PrefectServer, over: Make) -> None:
    release = over(plan=a_plan(100, bake=20.0))
    world = release.world
    world.incident(0, 1e9, 0.5, "bad")

    def turn_bad() -> None:
        if world.stable.version == "v2":
            world.versions["v2"] = Version(errors=0.5)
        else:
            world.at(world.now + 0.5, turn_bad)

    world.at(1.0, turn_bad)
    made, state = await release.run()
    assert (state.name, world.stable.version) == ("RolledBack", "v1")
    chapters = sorted(prefect.subflows(made.run.id), key=lambda run: run["created"])
    assert [chapter["state_name"] for chapter in chapters] == ["Breached", "Returned"]
    inner = await seen(lambda: prefect.tasks(chapters[1]["id"]), lambda found: len(found) == 3)
    assert [task["name"] for task in inner] == ["put v1 back", "retire canary", "tell people"]


async def test_an_unfit_target_is_refused_with_every_finding(prefect: PrefectServer, over: Make) -> None:
    made, state = await over(a_world(versions={"v1": Version()})).run()
    assert (state.name, state.type) == ("Refused", "FAILED")
    assert "v2" in (state.message or "")
    assert "Nothing was touched" in prefect.artifacts(made.run.id)["shop-report"]["data"]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("call", "failures", "task", "runs"),
    [("workload.put_stable", 5, "roll out v2", 1), ("router.restore", 16, "finish", 2)],
    ids=["a moment", "longer than a move waits"],
)
async def test_a_platform_that_answers_late_is_asked_again(
    prefect: PrefectServer, over: Make, call: str, failures: int, task: str, runs: int
) -> None:
    """By the move itself, which hears what is asked meanwhile; what it gives up of a release that ends is tried again by Prefect."""
    release = over(plan=a_plan(50, soak=5.0))
    left = iter(range(failures))

    def fail(called: str) -> None:
        if called == call and next(left, None) is not None:
            raise Unavailable("429")

    release.world.on_call = fail
    made, state = await release.run()
    assert state.name == "Promoted"
    [promotion] = prefect.subflows(made.run.id)
    inner = await seen(lambda: prefect.tasks(promotion["id"]), lambda found: len(found) == 5)
    assert {one["name"]: one["run_count"] for one in inner}[task] == runs


@pytest.mark.usefixtures("patient")
async def test_what_was_undone_is_rolled_back_also_where_nobody_could_be_told(
    prefect: PrefectServer, over: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = over(plan=a_plan(100, soak=5.0))
    assert (await release.run())[1].name == "Promoted"

    @asynccontextmanager
    async def opened(*_: Any, **__: Any) -> AsyncIterator[Ports]:
        yield ports(release.world)

    async def found(*_: Any) -> Target:
        return LOCAL

    def broken(call: str) -> None:
        if call == "notifier.tell":
            raise Unavailable("the webhook does not answer")

    release.world.on_call = broken
    monkeypatch.setattr(back, "located", found)
    for opening in ("open_ports", "open_to_ask"):
        monkeypatch.setattr(wiring, opening, opened)
    state: State[Any] = await back.rollback("shop", "a test", return_state=True)
    record = await release.record()
    assert (record.state, release.world.stable.version) == (Stands.ROLLED_BACK, "v1")
    assert (state.name, state.message) == ("RolledBack", "v1 is back: a test")


async def test_a_bug_gives_the_traffic_back(
    prefect: PrefectServer, over: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = over()

    def broken(call: str) -> None:
        if call == "metrics.read" and release.world.serving == Weight.of(50):
            raise ZeroDivisionError("a bug")

    release.world.on_call = broken
    _, state = await release.run()
    record = await release.record()
    assert (state.name, record.state, release.world.serving) == ("RolledBack", Stands.ROLLED_BACK, NOTHING)
    assert "stopped: a bug" in (state.message or "")


async def test_a_record_that_is_removed_gives_the_traffic_back(prefect: PrefectServer, over: Make) -> None:
    release = over(plan=a_plan(5, soak=600.0))
    running = asyncio.create_task(start.run_here(await release.created()))
    await release.until(lambda record: record.state is Stands.PHASE and record.soaked_seconds > 1)
    release.world.ledger.drop()
    state = await running
    assert (state.name, release.world.serving) == ("Fenced", NOTHING)
    assert "the record of shop is gone: somebody removed it; the traffic is with stable" in (state.message or "")


async def test_a_release_that_was_taken_over_ends_fenced(prefect: PrefectServer, over: Make) -> None:
    release = over(plan=a_plan(5, soak=600.0))
    made = await release.created()
    running = asyncio.create_task(start.run_here(made))
    await release.until(lambda record: record.state is Stands.PHASE and record.soaked_seconds > 1)
    while True:
        kept = await release.world.ledger.read()
        assert kept is not None
        try:
            await take_over(ports(release.world), kept, "somebody else", "a test")
            break
        except Conflict:
            continue
    state = await running
    assert (state.name, state.type) == ("Fenced", "FAILED")
    assert (await release.record()).state is Stands.PHASE, "it wrote nothing more"


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_server_that_stops_in_mid_release_holds_nothing(
    prefect: PrefectServer, over: Make, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "GONE_SECONDS", 80.0)  # the server may take that long to be back on a busy machine
    monkeypatch.setattr(start, "END_SECONDS", 110.0)
    release = over()
    release.world.at(10.0, lambda: prefect.signal(number))
    made = await release.created()
    running = asyncio.create_task(start.run_here(made))
    try:
        record = await release.until(lambda record: record.ended)
    finally:
        if number is signal.SIGKILL:
            assert prefect.process is not None
            await asyncio.to_thread(prefect.process.wait, 10)
            prefect.start()
        else:
            prefect.signal(signal.SIGCONT)
        await asyncio.to_thread(prefect.wait)
    assert record.state is Stands.PROMOTED
    state = await running
    assert state.name == "Promoted"
    assert prefect.run(made.run.id)["state_name"] == "Promoted"
    lines = await release.evidence()
    assert not verify(lines, record.head)
    gaps = [line for line in map(parse, lines) if line.kind == "gap"]
    assert ["promotion" in line.data["what"] for line in gaps] == [True]
    assert prefect.artifacts(made.run.id)["shop-report"]["description"].startswith("promoted")


async def test_a_server_that_is_gone_for_good_holds_nothing(
    prefect: PrefectServer, over: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "GONE_SECONDS", 3.0)
    monkeypatch.setattr(flows.subflow, "LAST_SECONDS", 1.0)
    monkeypatch.setattr(tasks.show, "SOON_SECONDS", 1.0)
    release = over()
    release.world.at(10.0, lambda: prefect.signal(signal.SIGKILL))
    try:
        async with asyncio.timeout(90):
            made, state = await release.run()
    finally:
        await asyncio.to_thread(prefect.end)
        prefect.start()
        await asyncio.to_thread(prefect.wait)
    assert (state.name, (await release.record()).state) == ("Promoted", Stands.PROMOTED)
    # What Prefect says is not what the traffic does; the word of the run that was given up may reach the server that came back.
    assert prefect.run(made.run.id)["state_type"] in {"RUNNING", "CRASHED"}


async def test_a_server_that_stops_holds_no_rollback(prefect: PrefectServer, over: Make) -> None:
    release = over(bad())
    release.world.at(0.6, lambda: prefect.signal(signal.SIGSTOP))
    running = asyncio.create_task(start.run_here(await release.created()))
    try:
        record = await release.until(lambda record: record.ended)
    finally:
        prefect.signal(signal.SIGCONT)
    assert (record.state, release.world.serving) == (Stands.ROLLED_BACK, NOTHING)
    assert (await running).name == "RolledBack"


@pytest.mark.parametrize("forced", ["CANCELLING", "CANCELLED"])
async def test_cancelling_in_the_ui_is_an_abort(
    prefect: PrefectServer, over: Make, monkeypatch: pytest.MonkeyPatch, forced: str
) -> None:
    monkeypatch.setattr(tasks.cancel, "LOOK_SECONDS", 0.5)
    release = over(plan=a_plan(5, soak=1e6, duration=1e7))
    made = await release.created()
    running = asyncio.create_task(start.run_here(made))
    await release.until(lambda record: record.state is Stands.PHASE and record.soaked_seconds > 1)
    prefect.post(f"/flow_runs/{made.run.id}/set_state", {"state": {"type": forced}, "force": True})
    record = await release.until(lambda record: record.ended)
    state = await running
    assert (record.state, release.world.serving) == (Stands.ROLLED_BACK, NOTHING)
    assert record.outcome is not None
    assert record.outcome.why == "aborted by the Prefect UI: the run was cancelled"
    assert (state.type, state.name) == ("CANCELLED", "RolledBack")


async def test_cancelling_one_that_waits_ends_it_and_nobody_else(
    prefect: PrefectServer, over: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.cancel, "LOOK_SECONDS", 0.5)
    release = over(plan=a_plan(5, soak=1e6, duration=1e7))
    first = asyncio.create_task(start.run_here(await release.created()))
    record = await release.until(lambda record: record.state is Stands.PHASE)
    later = await start.create("shop", "v2", key=uuid4().hex, if_busy="wait", here=True)
    second = asyncio.create_task(start.run_here(later))
    await seen(lambda: prefect.run(later.run.id), lambda run: run["state_type"] == "RUNNING")
    prefect.post(f"/flow_runs/{later.run.id}/set_state", {"state": {"type": "CANCELLING"}, "force": True})
    state = await second
    assert (state.type, state.name) == ("CANCELLED", "Cancelled")
    now = await release.record()
    assert (now.release, now.ended, now.inbox) == (record.release, False, ())
    await abort(ports(release.world), "ann")
    assert (await first).name == "RolledBack"


async def test_a_cancelled_process_gives_the_traffic_back_shielded(prefect: PrefectServer, over: Make) -> None:
    release = over(plan=a_plan(5, soak=1e6, duration=1e7))
    made = await release.created()
    running = asyncio.create_task(start.run_here(made))
    await release.until(lambda record: record.state is Stands.PHASE and record.soaked_seconds > 1)
    running.cancel()
    state = await running
    record = await release.record()
    assert (record.state, release.world.serving) == (Stands.ROLLED_BACK, NOTHING)
    assert (state.type, state.name) == ("CANCELLED", "RolledBack")


async def test_a_second_release_is_refused_or_waits(prefect: PrefectServer, over: Make) -> None:
    release = over(plan=a_plan(5, soak=1e6, duration=1e7))
    first = asyncio.create_task(start.run_here(await release.created()))
    record = await release.until(lambda record: record.state is Stands.PHASE)
    refused = await start.run_here(await release.created())
    assert (refused.name, record.release in (refused.message or "")) == ("Refused", True)
    later = await start.create("shop", "v2", key=uuid4().hex, if_busy="wait", here=True)
    second = asyncio.create_task(start.run_here(later))
    await seen(lambda: prefect.run(later.run.id), lambda run: run["state_type"] == "RUNNING")
    await abort(ports(release.world), "ann")
    assert (await first).name == "RolledBack"
    await release.until(lambda next: next.release != record.release and next.state is Stands.PHASE)
    await abort(ports(release.world), "ann")
    assert (await second).name == "RolledBack"


async def test_the_same_key_is_the_same_run(prefect: PrefectServer) -> None:
    key = uuid4().hex
    one = await start.create("shop", "v2", key=key, here=True)
    again = await start.create("shop", "v2", key=key, here=True)
    other = await start.create("shop", "v3", key=key, here=True)
    assert (one.ours, again.ours, other.ours) == (True, False, True)
    assert one.run.id == again.run.id != other.run.id


async def test_evidence_that_cannot_be_written_does_not_stop_the_way_back(prefect: PrefectServer, over: Make) -> None:
    world = bad()
    world.inject(Fault.EVIDENCE_DOWN)
    release = over(world)
    _, state = await release.run()
    assert (state.name, world.serving) == ("RolledBack", NOTHING)

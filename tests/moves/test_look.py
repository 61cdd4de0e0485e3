"""What the guard owes a service whatever else it has to do: its weight first."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from serinus.errors import PlatformError, Refused, Unavailable, Unrecorded
from serinus.moves.acquire import acquire
from serinus.moves.close import close_unrecorded
from serinus.moves.look import BLIND_SECONDS, Guard, look_at_all
from serinus.moves.preflight import preflight
from serinus.ports import Ports, Side
from serinus.release.mark import Mark, Mode
from serinus.release.record import Note, Record, State, to_json
from serinus.release.weight import EVERYTHING, NOTHING, Weight
from tests.fakes import FakeWorld, Fault, Version, a_world
from tests.moves.driver import TIMING, a_guard, carry_out, guarded, ports, release, until
from tests.release.builders import a_plan

LOOK_SECONDS = 5 * TIMING.ready_seconds
BOUND_SECONDS = 2.0 + 5.0 + 2.0
"""G + D, and one look more."""


async def orphan(world: FakeWorld) -> None:
    """A release at 5 % whose engine is gone."""
    task = await until(world, 6.0, release(world, a_plan(5, 100, soak=60)))
    task.cancel()
    await asyncio.wait({task})
    assert (await world.router.read()).weight == Weight.of(5)


async def test_a_record_that_cannot_be_written_keeps_no_weight() -> None:
    world = a_world()
    await orphan(world)
    died = world.now
    world.inject(Fault.LEDGER_READ_ONLY, died, died + 60)
    looking = asyncio.create_task(guarded(world, lambda: world.now > died + 90, seconds=100))
    await world.clock.sleep(BOUND_SECONDS + 0.1)
    route = await world.router.read()
    assert route.weight == NOTHING
    assert route.mark is not None
    assert route.mark.mode is Mode.CLOSED
    said = await looking
    assert any("its route was closed" in sentence for sentence in said), said
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    assert kept.record.state is State.ROLLED_BACK, "and once it can be written, it is ended"


@pytest.mark.parametrize("unread", [False, True], ids=["stable is read", "stable cannot be read"])
async def test_an_orphaned_canary_with_everything_serves_until_stable_can(unread: bool) -> None:
    """Unless it is not known that stable cannot: then nothing keeps a weight."""
    world = a_world(versions={version: Version() for version in ("v1", "v2", "v3")}, rollout_seconds=60.0)
    task = await until(world, 6.0, release(world, a_plan(100, soak=600)))
    task.cancel()
    await asyncio.wait({task})
    assert world.serving == EVERYTHING
    world.workload.edit_stable("v3")
    died = world.now
    if unread:
        world.inject(Fault.WORKLOAD_DOWN, died, died + BOUND_SECONDS)
    looking = asyncio.create_task(guarded(world, lambda: world.now > died + 90, seconds=100))
    await world.clock.sleep(BOUND_SECONDS + 0.1)
    assert world.serving == (NOTHING if unread else EVERYTHING)
    await world.clock.sleep(60 - BOUND_SECONDS - 1.0)
    assert world.serving == (NOTHING if unread else EVERYTHING)
    said = await looking
    assert any("a person is needed" in sentence for sentence in said) is not unread
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    assert (kept.record.state, world.serving, world.stable.version) == (State.ROLLED_BACK, NOTHING, "v3")


async def test_a_stable_that_never_gets_ready_again_pages_a_person_before_the_trying_ends() -> None:
    world = a_world(rollout_seconds=30.0)
    task = await until(world, 20.0, release(world, a_plan(100, soak=2)))
    assert {pod.version for pod in world.stable.pods} == {"v1", "v2"}
    task.cancel()
    await asyncio.wait({task})
    world.rollout_seconds = 1e6
    guard, said, died = a_guard(world), list[str](), world.now
    while world.now < died + 200 and not world.notifier.told:
        said += await look_at_all({"shop": guard}, at_most=0.0)
        await world.clock.sleep(2.0)
    [notice] = world.notifier.told
    assert "the previous version of shop is not ready after 30 s; until it is, the traffic stays" in notice.text
    assert world.serving == EVERYTHING
    await guard.stop()


async def test_traffic_goes_back_while_some_of_the_previous_version_are_not_ready_yet() -> None:
    world = a_world(replicas=8, rollout_seconds=80.0)
    task = await until(world, 30.0, release(world, a_plan(100, soak=2)))
    assert {pod.version for pod in world.stable.pods} == {"v1", "v2"}
    task.cancel()
    await asyncio.wait({task})
    read = world.workload.stable

    async def rolled_out_by_parts() -> Side:
        return replace(await read(), spare=2)

    world.workload.stable = rolled_out_by_parts  # type: ignore[method-assign]
    guard = a_guard(world)
    while world.serving != NOTHING and world.now < 200:
        await look_at_all({"shop": guard}, at_most=0.0)
        await world.clock.sleep(0.5)
    assert [put.note.step for put in world.stable_puts] == ["new", "undone"]
    assert sorted(pod.version for pod in world.stable.pods) == ["v1"] * 6 + ["v2"] * 2
    returned = world.now
    while (record := world.ledger.written[-1][1]) and not record.ended and world.now < 300:
        await look_at_all({"shop": guard}, at_most=0.0)
        await world.clock.sleep(0.5)
    assert record.outcome is not None
    assert record.outcome.why.endswith("7 of 8 ready after 30 s")
    assert (record.outcome.verdict_to_stable_seconds or 0) < returned - 30 + 1, (
        "the rest was waited for with the traffic back"
    )
    await guard.stop()


async def test_a_record_that_is_removed_leaves_no_weight_whoever_sees_it_first() -> None:
    world = a_world()
    await orphan(world)
    guard = a_guard(world)
    await guard.look()
    assert not guard.clean
    world.ledger.drop()
    said = await guard.look()
    assert "r1: 5 % returned to stable, no live release owns it" in said
    assert (world.serving, (await world.router.read()).mark) == (NOTHING, None)
    await guard.look()
    assert guard.clean


@pytest.mark.parametrize("refused", [False, True], ids=["freed", "refused"])
async def test_a_record_that_is_removed_in_the_bake_leaves_stable_to_its_autoscaler(refused: bool) -> None:
    """It has no canary any more: what is left of it is the mark and the minimum."""
    world = a_world()
    task = await until(world, 40.0, release(world, a_plan(100, soak=3, bake=600)))
    task.cancel()
    await asyncio.wait({task})
    freed: list[str] = []

    def asked(call: str) -> None:
        if call == "workload.free_stable":
            freed.append(call)
            if refused:
                raise Refused("the right to patch horizontalpodautoscalers is missing")

    guard = a_guard(world)
    await guard.look()
    world.on_call = asked
    world.ledger.drop()
    said = await guard.look()
    assert len(freed) == 1
    assert (await world.router.read()).mark is None
    assert any("keeps its minimum" in one for one in said) is refused, said
    assert len(world.notifier.told) == refused


async def test_an_owner_whose_record_is_removed_returns_the_traffic_itself() -> None:
    world = a_world()
    facts = await preflight(ports(world), a_plan(5, 100, soak=60))
    engine = await acquire(ports(world), a_plan(5, 100, soak=60), facts, release="r1", owner="me")
    task = asyncio.ensure_future(carry_out(engine, facts.template))
    while world.serving == NOTHING:
        await world.clock.sleep(0.1)
    world.ledger.drop()
    with pytest.raises(Unrecorded, match="the record of shop is gone") as gone:
        await task
    said = await close_unrecorded(engine, str(gone.value))
    assert world.serving == NOTHING
    assert "the traffic is with stable" in said
    assert [notice.text for notice in world.notifier.told] == [said]
    assert await world.ledger.read() is None, "and writes none"


async def test_evidence_that_cannot_be_copied_keeps_no_weight() -> None:
    world = a_world()
    world.inject(Fault.EVIDENCE_DOWN, 0, 1e9)
    record = await release(world, a_plan(5, 100, soak=2, bake=2))
    assert record.ended
    assert record.lines, "they wait in the record"
    route = await world.router.read()
    await world.router.write(Mark("r0", 1, 1, Mode.OPEN, Weight.of(5)), route)
    await guarded(world, lambda: False, seconds=6)
    assert (await world.router.read()).weight == NOTHING


class Slow(Guard):
    """A guard whose look takes until it is let go: a rollout that is awaited."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, "slow", lambda: "nobody")
        self.begun, self.go = 0, asyncio.Event()

    async def look(self) -> list[str]:
        self.begun += 1
        await self.go.wait()
        return ["slow: rolled out"]


async def test_a_long_look_at_one_service_keeps_no_other_waiting() -> None:
    world, other = a_world(), a_world()
    await orphan(world)
    slow, guard = Slow(ports(other)), a_guard(world)
    guards = {"slow": slow, "shop": guard}
    for _ in range(8):
        await look_at_all(guards, at_most=0.05)
        await world.clock.sleep(1.0)
    assert (await world.router.read()).weight == NOTHING
    assert slow.begun == 1, "one look at a time"
    slow.go.set()
    assert "slow: rolled out" in await look_at_all(guards, at_most=5.0)
    await look_at_all(guards, at_most=0.05)
    assert slow.begun == 2
    for one in guards.values():
        await one.stop()


class Stuck(Slow):
    """A guard whose look never ends by itself."""

    def __init__(self, ports: Ports, stubborn: bool = False) -> None:
        super().__init__(ports)
        self.stubborn = stubborn

    async def look(self) -> list[str]:
        while True:
            try:
                return await super().look()
            except asyncio.CancelledError:
                if not self.stubborn:
                    raise


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_look_that_is_stuck_is_given_up_said_and_begun_anew(stubborn: bool) -> None:
    world, other = a_world(), a_world()
    stuck, guard = Stuck(ports(other), stubborn), a_guard(world)
    guards = {"slow": stuck, "shop": guard}
    await look_at_all(guards, at_most=0.05)
    await other.clock.sleep(LOOK_SECONDS - 1)
    assert await look_at_all(guards, at_most=0.05) == []
    await orphan(world)
    await other.clock.sleep(2)
    said = await look_at_all(guards, at_most=0.05)
    assert [sentence for sentence in said if "slow" in sentence and "given up" in sentence], said
    assert stuck.failing
    assert [notice.urgent for notice in other.notifier.told] == [True], "a person looks what it is stuck at"
    for _ in range(8):
        assert not [sentence for sentence in await look_at_all(guards, at_most=0.05) if "slow" in sentence]
        await world.clock.sleep(1.0)
    assert (await world.router.read()).weight == NOTHING
    assert stuck.begun == 2, "a look that does not even end so is not joined by another"
    stuck.stubborn = False
    for one in guards.values():
        await one.stop()


async def test_a_way_back_that_was_given_up_half_way_is_gone_on_with() -> None:
    world = a_world()
    await orphan(world)
    world.inject(Fault.ROUTER_REFUSES, world.now, world.now + 200)
    guard, said, until = a_guard(world), list[str](), world.now + 240
    while world.now < until:
        said += await look_at_all({"shop": guard}, at_most=0.0)  # left alone at once, however fast this machine is
        await world.clock.sleep(2.0)
    assert [sentence for sentence in said if "given up" in sentence], said
    assert (await world.router.read()).weight == NOTHING
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    assert (kept.record.state, kept.record.late) == (State.ROLLED_BACK, True)


async def of_another_schema(world: FakeWorld, mode: Mode) -> None:
    """A canary at 50 % whose record nobody here can read, and whose owner is silent."""
    await orphan(world)
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    await world.ledger.write(replace(kept.record, schema=7), kept.version)
    route = await world.router.read()
    assert route.mark is not None
    await world.router.write(route.mark.then(mode, Weight.of(50)), route)


@pytest.mark.parametrize("mode", [Mode.OPEN, Mode.PROMOTING])
async def test_an_unknown_record_is_closed_and_a_person_told_once(mode: Mode) -> None:
    world = a_world()
    await of_another_schema(world, mode)
    before = world.ledger.written[-1]
    world.inject(Fault.NOTIFIER_DOWN, world.now, world.now + 9)
    await guarded(world, lambda: False, seconds=30)
    route = await world.router.read()
    assert route.weight == NOTHING
    assert route.mark is not None
    assert route.mark.mode is Mode.CLOSED
    assert len(world.notifier.told) == 1, "and not again every two seconds"
    assert "schema 7" in world.notifier.told[0].text
    assert world.ledger.written[-1] is before, "never resumed, promoted or undone"
    assert not world.stable_puts


async def test_an_unknown_record_keeps_its_canary_while_stable_cannot_serve() -> None:
    world = a_world(rollout_seconds=20.0)
    await of_another_schema(world, Mode.PROMOTING)
    stable = await world.workload.stable()
    await world.workload.put_stable('{"version": "v2"}', Note("r1", 1, "new"), stable)
    begun = world.now
    looking = asyncio.create_task(guarded(world, lambda: False, seconds=80))
    await world.clock.sleep(15)
    assert (await world.router.read()).weight == Weight.of(50)
    assert len(world.notifier.told) == 1
    await looking
    zero = next(write.at for write in world.routes if write.at > begun and write.weight == NOTHING)
    assert zero >= begun + 20.0


class Failing(Slow):
    """A guard that meets what nobody has thought of, until it is mended."""

    def __init__(self, ports: Ports, cause: Exception) -> None:
        super().__init__(ports)
        self.cause: Exception | None = cause

    async def look(self) -> list[str]:
        self.begun += 1
        if self.cause is not None:
            raise self.cause
        return []


@pytest.mark.parametrize(
    ("cause", "pages"), [(KeyError("release"), 1), (Refused("no workload"), 1), (Unavailable("no answer"), 0)]
)
async def test_whatever_fails_at_one_service_keeps_no_other_unguarded(cause: Exception, pages: int) -> None:
    world, other = a_world(), a_world()
    failing, guard = Failing(ports(other), cause), a_guard(world)
    guards = {"odd": failing, "shop": guard}
    await orphan(world)
    said = list[str]()
    for _ in range(8):
        said += await look_at_all(guards, at_most=0.05)
        await world.clock.sleep(1.0)
        await other.clock.sleep(1.0)
    assert (await world.router.read()).weight == NOTHING
    assert failing.begun == 8, "and it is looked at as often as the others"
    assert len([sentence for sentence in said if "slow: cannot be guarded now: " in sentence]) == 8, said
    assert len(other.notifier.told) == pages, "a person is told what does not mend itself, once"


@pytest.mark.parametrize("cause", [Refused("no workload"), Unavailable("the token has expired")])
async def test_who_has_been_blind_for_long_pages_a_person_once_each_time(cause: PlatformError) -> None:
    world = a_world()
    failing = Failing(ports(world), cause)
    pages = list[int]()
    for now in (cause, None, cause):
        failing.cause = now
        for _ in range(int(BLIND_SECONDS) + 2):
            await look_at_all({"slow": failing}, at_most=0.05)
            await world.clock.sleep(1.0)
        pages.append(len(world.notifier.told))
    assert pages == [1, 1, 2]
    assert str(cause) in world.notifier.told[-1].text


async def test_what_was_mended_in_time_pages_nobody() -> None:
    world = a_world()
    failing = Failing(ports(world), Refused("no workload"))
    for second in range(20):
        failing.cause = None if second % 4 == 3 else Refused("no workload")
        await look_at_all({"slow": failing}, at_most=0.05)
        await world.clock.sleep(1.0)
    assert not world.notifier.told


async def test_a_look_that_was_given_up_and_ends_late_ends_no_guard() -> None:
    other = a_world()
    stuck = Stuck(ports(other), stubborn=True)
    await look_at_all({"slow": stuck}, at_most=0.05)
    await other.clock.sleep(LOOK_SECONDS + 1)
    assert await look_at_all({"slow": stuck}, at_most=0.05)
    stuck.stubborn = False
    stuck.looking().cancel()
    await asyncio.wait({stuck.looking()})
    assert await look_at_all({"slow": stuck}, at_most=0.05) == []
    await look_at_all({"slow": stuck}, at_most=0.05)
    assert stuck.begun == 3
    await stuck.stop()


@pytest.mark.parametrize("down", ["refuses", "silent"])
async def test_a_canary_that_cannot_be_read_keeps_no_weight(down: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world()
    await orphan(world)
    if down == "silent":
        world.inject(Fault.WORKLOAD_DOWN, world.now, 1e9)
    else:
        monkeypatch.setattr(world.workload, "canary", refused)
    await guarded(world, lambda: False, seconds=BOUND_SECONDS)
    assert (await world.router.read()).weight == NOTHING


async def refused() -> None:
    raise Refused("canary, revision 2, is not a workload")


async def test_what_a_release_left_goes_though_its_canary_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world()
    await orphan(world)
    world.ledger.drop()
    monkeypatch.setattr(world.workload, "canary", refused)
    guard = a_guard(world)
    assert any("returned to stable" in sentence for sentence in await guard.look())
    route = await world.router.read()
    assert (route.weight, route.mark) == (NOTHING, None)
    with pytest.raises(Refused, match="revision 2"):
        await guard.look()


async def test_a_record_that_cannot_be_read_keeps_no_weight() -> None:
    """Its engine is gone, or cannot read it either: a living one would write over it."""
    world = a_world()
    await orphan(world)
    world.ledger.put(b'{"half":')
    begun = world.now
    world.inject(Fault.NOTIFIER_DOWN, begun, begun + 9)
    said = await guarded(world, lambda: False, seconds=30)
    zero = next(write.at for write in world.routes if write.at > begun and write.weight == NOTHING)
    assert begun + TIMING.dead_seconds <= zero <= begun + BOUND_SECONDS
    route = await world.router.read()
    assert route.mark is not None
    assert route.mark.mode is Mode.CLOSED
    assert [sentence for sentence in said if sentence.startswith("r1: its route was closed")], said
    assert len(world.notifier.told) == 1, "and not again every two seconds"
    assert "cannot be read" in world.notifier.told[0].text


async def test_a_record_that_changes_while_it_cannot_be_read_has_an_owner_who_writes() -> None:
    world = a_world()
    await orphan(world)
    guard = a_guard(world)
    for beat in range(10):
        world.ledger.put(b'{"newer": %d' % beat)
        with pytest.raises(Refused):
            await guard.look()
        await world.clock.sleep(2.0)
    assert (await world.router.read()).weight == Weight.of(5)


async def test_a_release_whose_record_can_be_read_again_is_ended() -> None:
    world = a_world()
    await orphan(world)
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    world.ledger.put(b'{"half":')
    guard = a_guard(world)
    with pytest.raises(Refused):
        await guard.look()
    await world.clock.sleep(TIMING.dead_seconds)
    await guard.look()
    world.ledger.put(to_json(kept.record))
    for _ in range(5):
        await guard.look()
        await world.clock.sleep(2.0)
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    assert kept.record.state is State.ROLLED_BACK


async def test_an_unreadable_record_keeps_its_canary_while_stable_cannot_serve() -> None:
    world = a_world(rollout_seconds=20.0)
    await of_another_schema(world, Mode.PROMOTING)
    world.ledger.put(b"[")
    await world.workload.put_stable('{"version": "v2"}', Note("r1", 1, "new"), await world.workload.stable())
    begun = world.now
    await guarded(world, lambda: False, seconds=80)
    zero = next(write.at for write in world.routes if write.at > begun and write.weight == NOTHING)
    assert zero >= begun + 20.0
    assert len(world.notifier.told) == 1

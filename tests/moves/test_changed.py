"""What somebody changes in mid-release is never promoted: it ends the release, or is put back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from serinus.moves.changed import stable_changed
from serinus.ports import Side
from serinus.release.mark import Mode
from serinus.release.plan import Plan
from serinus.release.record import Analysed, Note, Previous, Record, State
from serinus.release.weight import NOTHING, Weight
from tests.fakes import FakeWorld, Version, a_world
from tests.moves.driver import release
from tests.release.builders import a_plan

GOOD = Version(errors=0.0005)
PLAN = a_plan(25, 50, soak=6)


def a_shop(**how: object) -> FakeWorld:
    return a_world(versions={"v1": GOOD, "v2": GOOD, "v3": GOOD}, **how)


def weight_at(world: FakeWorld, moment: float) -> Weight:
    return [write.weight for write in world.routes if write.at <= moment][-1]


async def ended_by(world: FakeWorld, moment: float, edit: Callable[[], None], plan: Plan = PLAN) -> Record:
    """The release, with something done in the middle of it."""
    world.at(moment, edit)
    return await release(world, plan)


async def test_stable_changed_in_a_phase_ends_the_release_at_the_next_check() -> None:
    world = a_shop()
    record = await ended_by(world, 5.2, lambda: world.workload.edit_stable("v3"))
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert (record.outcome.gate, record.outcome.rule) == ("stable", "changed")
    assert "stable was changed by somebody during the release: it is to run v3 now" in record.outcome.why
    assert weight_at(world, 7.5) == NOTHING
    assert world.stable.version == "v3", "what somebody put there is theirs"
    assert [put for put in world.stable_puts if put.changed] == []


async def test_at_100_percent_the_canary_serves_until_what_stable_became_is_ready() -> None:
    world = a_shop(rollout_seconds=12.0)
    record = await ended_by(world, 3.0, lambda: world.workload.edit_stable("v3"), a_plan(100, soak=60))
    assert record.outcome is not None
    assert record.outcome.rule == "changed"
    assert weight_at(world, 14.0) == Weight.of(100)
    assert weight_at(world, 18.5) == NOTHING
    paged = [notice.text for notice in world.notifier.told if notice.urgent]
    assert len(paged) == 1, paged
    assert "ready, so the canary serves until stable is wholly rolled out" in paged[0]


@pytest.mark.parametrize("moment", [5.2, 7.9])
async def test_an_edited_canary_is_never_promoted(moment: float) -> None:
    world = a_shop()
    record = await ended_by(world, moment, lambda: world.workload.edit_canary("v3"))
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert (record.outcome.gate, record.outcome.rule) == ("pods", "changed")
    assert "the canary was changed" in record.outcome.why
    assert weight_at(world, moment + 2.5) == NOTHING
    assert all("v3" not in put.template for put in world.stable_puts)


async def test_a_canary_with_fewer_instances_gets_them_back() -> None:
    world = a_shop(replicas=6)
    seen: list[int] = []
    world.at(7.0, lambda: seen.append(world.canary.replicas if world.canary else 0))
    record = await ended_by(world, 5.2, lambda: world.workload.edit_canary(replicas=1))
    assert record.state is State.PROMOTED, record.outcome
    assert seen == [2]
    lines = "".join(await world.ledger.lines(record.release))
    assert '"found":1,"replicas":2' in lines or '"replicas":2,"found":1' in lines


@pytest.mark.parametrize("how", ["deleted", "to 0"])
async def test_a_canary_that_is_gone_or_scaled_to_nothing_keeps_no_weight(how: str) -> None:
    world = a_shop()

    def take() -> None:
        if how == "deleted":
            world.canary = None
        else:
            world.workload.edit_canary(replicas=0)

    record = await ended_by(world, 5.2, take)
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert record.outcome.gate == "pods"
    assert weight_at(world, 7.5) == NOTHING


@pytest.mark.parametrize(("replicas", "wanted"), [(12, 6), (1, 2)])
async def test_the_canary_follows_stable_that_was_scaled_up_and_never_down(replicas: int, wanted: int) -> None:
    world = a_shop(replicas=4)
    most: list[int] = []
    world.at(2.0, lambda: scaled(world, replicas))
    world.at(11.0, lambda: most.append(world.canary.replicas if world.canary else 0))
    await release(world, PLAN)
    assert most == [wanted]


def scaled(world: FakeWorld, replicas: int) -> None:
    fleet = world.stable
    fleet.revision += 1
    more = [world.pod("stable", fleet.template, ready_at=world.now) for _ in range(replicas - len(fleet.pods))]
    fleet.replicas, fleet.pods = replicas, (fleet.pods + more)[:replicas]


async def test_stable_changed_in_the_rollout_or_in_the_bake_is_left_to_whom_it_belongs() -> None:
    for moment in (2.0, 6.0):
        world = a_shop(rollout_seconds=4.0)
        begun = asyncio.Event()

        def edit(world: FakeWorld = world) -> None:
            world.workload.edit_stable("v3")

        def watch(call: str, world: FakeWorld = world, begun: asyncio.Event = begun, after: float = moment) -> None:
            if not begun.is_set() and any(put.note.step == "new" for put in world.stable_puts):
                begun.set()
                world.at(world.now + after, edit)

        world.on_call = watch
        record = await release(world, a_plan(50, soak=3, bake=20))
        assert record.state is State.ROLLED_BACK
        assert record.outcome is not None
        assert record.outcome.rule == "changed"
        assert "which somebody gave it: left as it is" in record.outcome.why
        assert world.stable.version == "v3"
        assert [put.note.step for put in world.stable_puts] == ["new", "undone"]
        assert (await world.router.read()).weight == NOTHING


async def test_stable_changed_between_the_look_at_it_and_its_new_template_is_not_written_over() -> None:
    world = a_shop()

    def edit(call: str) -> None:
        mark = world.routes[-1].mark if world.routes else None
        if (
            call == "workload.stable"
            and mark is not None
            and mark.mode is Mode.PROMOTING
            and world.stable.version == "v1"
        ):
            world.workload.edit_stable("v3")

    world.on_call = edit
    record = await release(world, a_plan(50, soak=3))
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert (record.outcome.gate, record.outcome.rule) == ("stable", "changed")
    assert [put.note.step for put in world.stable_puts if put.changed] == []
    assert (world.stable.version, world.serving) == ("v3", NOTHING)


async def test_stable_that_does_not_get_ready_in_the_rollout_is_undone_at_its_pods_word() -> None:
    world = a_shop()

    def watch(call: str) -> None:
        if world.stable_puts and world.stable.version == "v2":
            for pod in world.stable.pods:
                if pod.version == "v2":
                    pod.crashes_at = 0.0

    world.on_call = watch
    record = await release(world, a_plan(50, soak=3))
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert "stable does not get ready: stable-" in record.outcome.why
    assert "CrashLoopBackOff" in record.outcome.why
    assert world.stable.version == "v1"
    assert record.elapsed_seconds < 25


def test_what_is_only_mounted_is_named_and_ours_stays_ours() -> None:
    analysed = Analysed("new-code", {"ConfigMap/conf": "1", "Secret/key": "unread"})
    previous = Previous("old", "v1", 2)
    record = Record("r1", 1, "me", a_plan(), previous, state=State.PHASE, analysed=analysed)
    old = Side("old", "v1", 2, (), True, "1", code="old-code", mounts=analysed.mounts)
    assert stable_changed(record, old) == ""
    told = replace(old, template="old*", mounts={"ConfigMap/conf": "2", "Secret/key": "unread"})
    assert stable_changed(record, told) == "ConfigMap/conf of stable was changed by somebody during the release"
    edited = replace(old, template="older", version="v3", writer="kubectl-set at 10:02")
    said = "stable was changed by kubectl-set at 10:02 during the release: it is to run v3 now"
    assert stable_changed(record, edited) == said
    restarted = replace(old, template="old+restarted")
    assert stable_changed(record, restarted) != "", "of a record that an older version wrote"
    assert stable_changed(replace(record, previous=replace(previous, code="old-code")), restarted) == ""
    baking = replace(record, state=State.BAKING)
    ours = replace(old, template="new", version="v2", code="new-code", note=Note("r1", 1, "new"))
    assert stable_changed(baking, ours) == ""
    assert "ConfigMap/conf of stable" in stable_changed(baking, replace(ours, mounts=told.mounts))
    assert stable_changed(baking, replace(edited, note=None)) == said


async def test_weight_0_comes_also_where_stable_has_nobody_ready_and_says_so() -> None:
    world = a_shop()

    def take() -> None:
        for pod in world.stable.pods:
            pod.ready_at = float("inf")
        world.workload.edit_canary("v3")

    record = await ended_by(world, 5.2, take)
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert record.outcome.why.endswith("; stable shop has 0 of 3 ready")
    assert weight_at(world, 7.5) == NOTHING
    assert any("has all the traffic again" in notice.text for notice in world.notifier.told)

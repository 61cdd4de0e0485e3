"""Somebody removes or changes a release's objects by hand: no canary keeps traffic that nobody owns."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Awaitable, Callable

from serinus.release.mark import Mode
from serinus.release.record import Foreign, State
from serinus.release.weight import Weight
from serinus.stores.revisions import Store
from serinus.stores.route import to_json
from tests.faults.ground import Shop, until
from tests.faults.policies import LONG


def remove_record(shop: Shop) -> None:
    """As `rm` does: name after name, while others write."""
    shutil.rmtree(shop.folders.service(shop.name) / "record")


async def record_removed(shop: Shop) -> str:
    """Its engine is fenced; the guard returns what no record owns."""
    before = shop.stable
    async with shop.users() as users:
        engine = await shop.begin(steps=LONG)
        await shop.at_percent(50, soaked=0)
        await engine.stop()  # so that nothing is written into the folder that goes
        remove_record(shop)
        engine.signal(signal.SIGCONT)
        said = await engine.ended()
        seconds = await shop.returned()
        await shop.whole(before)
    assert said["outcome"] == "fenced", said
    assert await shop.record() is None
    assert users.failed == 0, users.say()
    return f"weight 0 after {seconds:.1f} s; {said['why']}"


def remove_mark(shop: Shop) -> None:
    """The weight stays."""
    number, route = shop.held("route")
    Store(shop.folders.service(shop.name) / "route").write(to_json(Weight(route["canary"]), None, ""), number)


async def mark_removed(shop: Shop) -> str:
    """No mark, no right to traffic: its own engine takes it back."""
    before = shop.stable
    async with shop.users() as users:
        engine = await shop.begin(steps=LONG)
        await shop.at_percent(50)
        remove_mark(shop)
        said = await engine.ended()
        await shop.whole(before)
    assert said["outcome"] == State.ROLLED_BACK, said
    outcome = (await shop.mine()).outcome
    assert outcome is not None
    assert (outcome.gate, outcome.rule) == ("route", "drift"), outcome
    assert users.failed == 0, users.say()
    await shop.sound_evidence()
    return outcome.why


async def mark_removed_engine_dead(shop: Shop) -> str:
    """Neither owner nor mark: the record still tells the guard."""
    before = shop.stable
    async with shop.users() as users:
        engine = await shop.begin(steps=LONG)
        await shop.at_percent(50, soaked=0)
        engine.signal(signal.SIGKILL)
        remove_mark(shop)
        seconds = await shop.returned()
        record = await shop.ended()
        await shop.whole(before)
    assert record.state is State.ROLLED_BACK
    assert users.failed == 0, users.say()
    return f"weight 0 after {seconds:.1f} s"


async def record_of_another_schema(shop: Shop) -> str:
    """Closed, a person told; never resumed, promoted or undone, and whoever held it is fenced."""
    before = shop.stable
    async with shop.users() as users:
        engine = await shop.begin(steps=LONG)
        await shop.at_percent(50, soaked=0)
        await engine.stop()
        number, record = shop.held("record")
        content = json.dumps(record | {"schema": 7, "state": "levitating"}).encode()
        Store(shop.folders.service(shop.name) / "record").write(content, number)
        seconds = await shop.returned()
        said = f"{record['release']}: no beat for"

        async def looked_again() -> bool:
            return shop.ground.guard_said().count(said) >= 1

        await until(looked_again, f"the guard says it: {shop.ground.guard_said()}")
        mark = (await shop.route()).mark
        assert mark is not None
        assert mark.mode is Mode.CLOSED
        assert "schema 7" in mark.why
        assert "has schema 7" in shop.ground.log.read_text(), "a person is told"
        assert isinstance(await shop.record(), Foreign)
        assert shop.held("record")[0] == number + 1, "nobody writes a record that nobody here can read"
        engine.signal(signal.SIGCONT)
        fenced = await engine.ended()
        assert fenced["outcome"] == "fenced", fenced
        assert shop.stores.all_serve("stable", before, 2)
        remove_record(shop)  # the person's decision: this version's guard may end it
        await shop.whole(before)
    assert users.failed == 0, users.say()
    return f"weight 0 after {seconds:.1f} s; {fenced['why']}"


SCENARIOS: dict[str, Callable[[Shop], Awaitable[str]]] = {
    "record of another schema": record_of_another_schema,
    "record removed": record_removed,
    "mark removed": mark_removed,
    "mark removed, engine dead": mark_removed_engine_dead,
}

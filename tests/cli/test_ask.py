"""What `serinus abort` says of what it found; over a world in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serinus.cli.ask import _abort
from serinus.cli.exit_code import Code
from serinus.cli.failure import Usage
from serinus.cli.terminal import Terminal
from serinus.release.mark import Mark, Mode
from serinus.release.plan import Plan
from serinus.release.weight import NOTHING
from serinus.wiring import LOCAL
from tests.fakes import FakeWorld, Version, a_world
from tests.moves.driver import ports, release, until
from tests.release.builders import a_plan


@pytest.mark.parametrize(
    ("seconds", "plan", "said"),
    [
        (3, a_plan(5, soak=1e6, duration=1e7), "nothing serves the canary yet: its owner ends the release"),
        (30, a_plan(5, soak=1e6, duration=1e7), "the canary's weight is 0, read back"),
        (60, a_plan(100, soak=3, bake=1e6, duration=1e7), "stable was given the new version: its owner puts"),
    ],
    ids=["starting", "serving", "baking"],
)
async def test_an_abort_says_what_is_so(
    capsys: pytest.CaptureFixture[str], seconds: float, plan: Plan, said: str
) -> None:
    world = a_world(versions={"v1": Version(), "v2": Version(ready_after=20.0)})
    going = await until(world, seconds, release(world, plan))
    assert await _abort(Terminal(False), ports(world), LOCAL, "shop", "no") is Code.DONE
    assert said in " ".join(capsys.readouterr().out.split())
    await going


async def test_where_the_last_release_is_to_be_found_is_said_as_a_person_types_it() -> None:
    world = a_world()
    await release(world, a_plan(100, soak=3))
    there = replace(LOCAL, workload="kubernetes", workload_options={"namespace": "market"})
    with pytest.raises(Usage, match="serinus status shop -n market"):
        await _abort(Terminal(True), ports(world), there, "shop", "")


async def test_a_mark_that_is_left_over_is_nothing_to_abort() -> None:
    world: FakeWorld = a_world()
    world.router.edit(NOTHING, Mark("r0", 0, 1, Mode.CLOSED, NOTHING))
    with pytest.raises(Usage, match="never had a release"):
        await _abort(Terminal(True), ports(world), LOCAL, "shop", "")

"""The canary's own processes fail: at once, later, or without ever getting ready; users notice as little as can be."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable

from serinus.release.record import Outcome, State
from serinus.stores.process import Identity
from tests.faults.ground import Shop, Users
from tests.faults.policies import LONG

LONG_AT_5 = (("5%", "60s"), ("100%", "1s"))


async def taken_back(shop: Shop, version: str, *, killed_at_5: bool = False, **more: float) -> tuple[Users, Outcome]:
    """A release of this version to its end; at 5 % one of its processes may be killed."""
    stable, killed = shop.stable, tuple[Identity, ...]()
    async with shop.users() as users:
        engine = await shop.begin(version, steps=LONG_AT_5 if killed_at_5 else LONG, **more)
        if killed_at_5:
            await shop.at_percent(5)
            killed = shop.canary_processes()
            os.kill(killed[0].pid, signal.SIGKILL)
        said = await engine.ended()
        assert said["outcome"] == State.ROLLED_BACK, said
        await shop.whole(stable, killed)
    await shop.sound_evidence()
    outcome = (await shop.mine()).outcome
    assert outcome is not None
    return users, outcome


async def crashes_at_once(shop: Shop) -> str:
    users, why = await taken_back(shop, "v2-crash")
    assert (why.gate, why.rule) == ("pods", "crash"), why
    assert users.failed == users.served["canary"].completed == 0, "no user ever met it"
    return why.why


async def never_gets_ready(shop: Shop) -> str:
    users, why = await taken_back(shop, "v2-unready", ready_seconds=4.0)
    assert (why.gate, why.rule) == ("pods", "not ready"), why
    assert users.failed == users.served["canary"].completed == 0, "no user ever met it"
    return why.why


async def killed_later(shop: Shop) -> str:
    """By its pod's own word, or by the requests that it failed, as below."""
    users, why = await taken_back(shop, shop.other, killed_at_5=True)
    assert (why.gate, why.rule) in (("pods", "crash"), ("error_rate", "hard breach")), why
    assert why.weight_percent == 5, why
    assert users.served["stable"].failed == 0, "whoever was on stable noticed nothing"
    return f"{why.why.splitlines()[0]}; {users.failed} requests failed"


async def runs_out_of_memory(shop: Shop) -> str:
    """By its pods' own word; or by the requests that both of them failed in dying, where a check falls between that and the word."""
    users, why = await taken_back(shop, "v2-leak")
    assert (why.gate, "OOMKilled" in why.why) in (("pods", True), ("error_rate", False)), why
    assert users.served["stable"].failed == 0, "whoever was on stable noticed nothing"
    return f"{why.why.splitlines()[0]}; {users.failed} requests failed"


SCENARIOS: dict[str, Callable[[Shop], Awaitable[str]]] = {
    "runs out of memory": runs_out_of_memory,
    "killed later": killed_later,
    "never gets ready": never_gets_ready,
    "crashes at once": crashes_at_once,
}

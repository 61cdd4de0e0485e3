"""Become the owner of a release whose engine is gone, or of one that has ended well and is to be undone.

Whether its owner is gone is `look`'s question; ending it is `end_orphan`'s.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace

from serinus.errors import Conflict, Drift, Fenced, Finding, Missing, PlatformError, PreflightError, Unavailable
from serinus.moves.changed import noted, runs_ours, stable_changed
from serinus.moves.check import failing
from serinus.moves.close import close_held
from serinus.moves.engine import LOCAL, Engine, Timing
from serinus.moves.finish import finish
from serinus.moves.promote import promote
from serinus.moves.roll_back import roll_back
from serinus.ports import Kept, Ports, Side
from serinus.release.lifecycle import Action, Step
from serinus.release.orphan import Conclusion, Stable, conclude
from serinus.release.record import Foreign, Record, State

log = logging.getLogger("serinus.take_over")


async def take_over(ports: Ports, kept: Kept, owner: str, why: str, timing: Timing = LOCAL) -> Engine:
    """Own the record as it was read, then the mark: closed where it was open.

    Raises:
        Conflict: it was written meanwhile, so its owner lives
        Fenced: somebody else took it over, or its schema is another's
    """
    if isinstance(kept.record, Foreign):
        raise Fenced(f"release {kept.record.release} has schema {kept.record.schema}: written by another version")
    before = kept.record
    mine = replace(before, token=before.token + 1, owner=owner, beat=before.beat + 1)
    mine = mine.say(ports.clock.wall(), before.elapsed_seconds, "gap", why=why, token=mine.token, state=before.state)
    engine = Engine(ports, await _written(ports, mine, kept.version), timing)
    await _mark(engine, why)
    return engine


async def _written(ports: Ports, mine: Record, seen: str) -> Kept:
    """The record as we wrote it; where no answer came it is read: nobody else writes under this owner's name."""
    try:
        return await ports.ledger.write(mine, seen)
    except (Unavailable, Conflict):
        landed = await ports.ledger.read()
        if landed is None or (landed.record.owner, landed.record.token) != (mine.owner, mine.token):
            raise
        return landed  # also where somebody has asked something of it since


async def _mark(engine: Engine, why: str) -> None:
    """No weight where the mark is open, unless nobody else serves; and own token: its old owner is fenced at its next write."""
    router = engine.ports.router
    with suppress(PlatformError):
        engine.weigh(await router.read())
    if not await _alone_serves(engine):
        with suppress(Drift):  # it is being promoted: the table says what becomes of it
            await close_held(engine, why)
    for _ in range(5):
        route = await router.read()
        mark = route.mark
        if mark is None or mark.release != engine.release or mark.token >= engine.record.token:
            return
        with suppress(Conflict):  # written or not: the next read tells
            await router.write(mark.then(mark.mode, mark.weight, "", engine.record.token), route)


async def _alone_serves(engine: Engine) -> bool:
    """The canary has everything, and it is known that stable cannot: then a person is needed, and the table says so."""
    try:
        route, stable = await asyncio.gather(engine.ports.router.read(), _stable(engine))
    except PlatformError:
        return False
    conclusion, _ = conclude(engine.record, route.mark, stable)
    return conclusion is Conclusion.PAGE


async def end_orphan(engine: Engine, why: str) -> Conclusion:
    """Do what the taker's table concludes."""
    route = await engine.ports.router.read()
    conclusion, because = conclude(engine.record, route.mark, await _stable(engine))
    action = Action(Step.ROLL_BACK, f"{because} ({why})", "orphan", str(conclusion))
    if conclusion is Conclusion.PAGE:
        return conclusion
    if conclusion is Conclusion.FORWARD:
        # What its engine had not done yet: above all the route, before the canary that still serves is taken away.
        late = await promote(engine)
        if not late.ends:
            late = await _unwatched(engine) or late
        if not late.ends:
            await finish(engine, because)
            return conclusion
        action, conclusion = late, Conclusion.UNDO
    await roll_back(engine, action)
    return conclusion


async def _stable(engine: Engine) -> Stable:
    """As it is seen; one that is not there, or has no instance, can take nothing back."""
    try:
        stable = await engine.ports.workload.stable()
    except Missing:
        return Stable(ours=False, noted=False, changed=True, settled=False)
    return _seen(engine.record, stable)


async def _unwatched(engine: Engine) -> Action | None:
    """What became of a bake that nobody watched: every request since its last check is in the figures. Unread ones say nothing."""
    try:
        return await failing(engine)
    except PlatformError as cause:
        log.warning("%s: how it fared since its engine was gone is not known: %s", engine.release, cause)
        return None


def _seen(record: Record, stable: Side) -> Stable:
    given = noted(record, stable.note)
    return Stable(
        ours=given and runs_ours(record, stable),
        noted=given,
        changed=not given and (not stable.replicas or bool(stable_changed(record, stable))),
        settled=stable.settled,
    )


async def reopen(ports: Ports, owner: str, who: str, why: str, timing: Timing = LOCAL) -> tuple[Engine, Action]:
    """Own a promoted release again, to undo it: the same release, a higher token.

    Raises:
        PreflightError: the last release was not promoted, or another is going; nothing was touched
    """
    kept = await ports.ledger.read()
    if kept is None or isinstance(kept.record, Foreign):
        raise _unfit("there is no release to roll back")
    before = kept.record
    action = Action(Step.ROLL_BACK, f"rolled back by {who}" + (f": {why}" if why else ""), "person", "rollback")
    if not before.ended and (before.owner, before.state) == (owner, State.UNDOING):
        return Engine(ports, kept, timing), action  # asked again, the answer to our own write being lost
    if not before.ended:
        raise _unfit(f"release {before.release} is going: abort it instead")
    stable = await ports.workload.stable()
    if before.state is not State.PROMOTED:
        raise _unfit(f"the last release, {before.release}, ended {before.state}: stable is {stable.version}")
    if not _seen(before, stable).ours:
        raise _unfit(f"stable runs {stable.version}, which {before.release} did not put there")
    mine = replace(before, token=before.token + 1, owner=owner, ended=False, state=State.UNDOING, outcome=None)
    mine = mine.say(ports.clock.wall(), before.elapsed_seconds, "state", state=State.UNDOING, why=action.why)
    try:
        return Engine(ports, await _written(ports, mine, kept.version), timing), action
    except Conflict as cause:
        raise _unfit("another release was faster") from cause


def _unfit(what: str) -> PreflightError:
    return PreflightError((Finding(what, "rollback", "see: serinus status"),))

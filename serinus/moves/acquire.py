"""Become the owner of a service's release: one at a time, by one conditional write of the record.

The traffic is not touched; what preflight decided on is read again once the record is ours. Waiting for another release is
`turn`'s part, before preflight looks.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from serinus.analysis.threshold import RateGate
from serinus.errors import Busy, Conflict, Finding, PlatformError, PreflightError
from serinus.moves.engine import LOCAL, Engine, Timing
from serinus.moves.patience import TIMES, answered, endingly
from serinus.moves.preflight import Facts
from serinus.ports import Kept, Ports, Route
from serinus.release.count import attainable
from serinus.release.plan import Plan
from serinus.release.record import Outcome, Previous, Record, State
from serinus.release.weight import NOTHING
from serinus.release.witness import following_on


async def acquire(
    ports: Ports,
    plan: Plan,
    facts: Facts,
    *,
    release: str,
    owner: str,
    run: str = "",
    key: str = "",
    timing: Timing = LOCAL,
) -> Engine:
    """Write the record as its owner; asked again for `TIMES` D where the platform does not answer.

    Args:
        release: id of this attempt
        owner: random, new for every run; called again by the same one, it goes on with the record that it wrote
        run, key: where it can be watched, what started it

    Raises:
        Busy: another release is going
        PreflightError: the target changed meanwhile, or the last release's evidence cannot be copied; nothing was touched
        Unavailable: whether it is ours is not known
    """
    had = attainable(plan, facts.route.beside)
    wanted = Record(release, 0, owner, had, _previous(facts), run=run, key=key)
    engine = await answered(ports.clock, TIMES * timing.dead_seconds, partial(_owned, ports, facts, wanted, timing))
    await _same_facts(engine, facts)
    return engine


async def _owned(ports: Ports, facts: Facts, wanted: Record, timing: Timing) -> Engine:
    """One try; it finds what an earlier one has written."""
    kept = await ports.ledger.read()
    if kept is None or not _ours(kept, wanted.release, wanted.owner):
        return Engine(ports, await _written(ports, facts, kept, wanted), timing)
    engine = Engine(ports, kept, timing)
    await engine.write(engine.record)  # a beat: it may be seconds old
    return engine


def _previous(facts: Facts) -> Previous:
    return Previous(
        facts.stable.template, facts.stable.version, facts.stable.replicas, facts.route.original, facts.stable.code
    )


def _ours(kept: Kept, release: str, owner: str) -> bool:
    """Asked again, where the answer to the first write was lost: it is this very holder's release that is going."""
    return not kept.record.ended and (kept.record.release, kept.record.owner) == (release, owner)


async def _written(ports: Ports, facts: Facts, kept: Kept | None, wanted: Record) -> Kept:
    """The record, with its token and first line, in place of one of no live release."""
    plan = wanted.plan
    if kept is not None and not kept.record.ended:
        raise _busy(plan, f"release {kept.record.release} is going")
    if facts.route.weight != NOTHING:
        raise _unowned(plan, facts.route)
    await _copy_left(ports, kept)
    if kept is not None and isinstance(kept.record, Record) and kept.record.release == wanted.release:
        wanted = replace(wanted, head=kept.record.head)  # refused a moment ago and tried again: one chain of evidence
    wanted = replace(wanted, token=1 + await _highest_token(ports, kept))
    wanted = wanted.say(ports.clock.wall(), 0.0, "plan", **_described(plan, facts, wanted), **_follows(kept, wanted))
    try:
        return await ports.ledger.write(wanted, kept.version if kept else None)
    except Conflict as cause:
        landed = await ports.ledger.read()
        if landed is not None and _ours(landed, wanted.release, wanted.owner):
            return landed
        raise _busy(plan, "another release was faster") from cause


async def _copy_left(ports: Ports, kept: Kept | None) -> None:
    """The last release's lines that were never copied would be lost with its record."""
    if kept is not None and isinstance(kept.record, Record) and kept.record.lines:
        try:
            await ports.ledger.append(kept.record.release, kept.record.lines)
        except PlatformError as cause:
            what = f"{len(kept.record.lines)} lines of {kept.record.release} cannot be copied: {cause}"
            finding = Finding(what, "evidence", "make room, or move the broken file away")
            raise PreflightError((finding,)) from cause


def _busy(plan: Plan, what: str) -> Busy:
    wait = "wait for it (--wait; as a run's parameter if_busy: wait)"
    mend = f"{wait}, or end it: {plan.target.typed('abort', plan.service)}"
    return Busy((Finding(what, f"service {plan.service}", mend),))


def _unowned(plan: Plan, route: Route) -> PreflightError:
    """A canary made now would be served by what an earlier release has left."""
    whose = f"the canary of {route.mark.release}" if route.mark else "a canary"
    what = f"{route.weight} goes to {whose}, which no live release owns"
    mend = f"return it: {plan.target.typed('abort', plan.service)}"
    return PreflightError((Finding(what, f"route of {plan.service}", mend),))


async def _highest_token(ports: Ports, kept: Kept | None) -> int:
    """Of record, mark and note: a token is never used twice."""
    route, stable = await asyncio.gather(ports.router.read(), ports.workload.stable())
    return max(
        kept.record.token if kept else 0,
        route.mark.token if route.mark else 0,
        stable.note.token if stable.note else 0,
    )


async def _same_facts(engine: Engine, facts: Facts) -> None:
    """Changed between preflight and the record, or not to be read for long: end as refused, before anything was touched."""
    try:
        if await endingly(engine, "stable and its route to be read again", partial(_are_same, engine.ports, facts)):
            return
        what = "stable or its route changed while the release began"
    except PlatformError as cause:  # also of an object that is gone by now: a record that nobody ends keeps others out
        what = f"whether stable or its route changed while the release began is not known: {cause}"
    ended = replace(engine.record, state=State.ROLLED_BACK, ended=True, outcome=Outcome(what))
    await engine.write(engine.say("end", ended, outcome="refused", why=what))
    await engine.copy(now=True)
    raise PreflightError((Finding(what, f"service {engine.plan.service}", "start again"),))


async def _are_same(ports: Ports, facts: Facts) -> bool:
    stable, route = await asyncio.gather(ports.workload.stable(), ports.router.read())
    return stable.template == facts.stable.template and route.version == facts.route.version


def _described(plan: Plan, facts: Facts, record: Record) -> dict[str, object]:
    """The first line: what will happen, and from where."""
    return {
        "release": record.release,
        "service": plan.service,
        "version": plan.version,
        "stable": facts.stable.version,
        "token": record.token,
        "phases": [[phase.weight.percent, phase.soak_seconds] for phase in plan.phases],
        "bake_seconds": plan.bake.soak_seconds,
        "gates": {gate.name: _limits(gate) for gate in plan.phases[-1].gates.rates},
        "run": record.run,
        **({"notes": [str(note) for note in facts.notes]} if facts.notes else {}),
    }


def _follows(kept: Kept | None, wanted: Record) -> dict[str, object]:
    """Where the evidence of the release before ends: its record, which held that, is replaced by this one."""
    before = kept.record if kept is not None else None
    if not isinstance(before, Record) or before.release == wanted.release:
        return {}
    return {"follows": following_on(before.release, before.head)}


def _limits(gate: RateGate) -> list[str]:
    bounds = (gate.limit, gate.abort)
    return [bound.text for bound in bounds if bound is not None]

"""Wait for somebody else's release: until it has ended, or until the service is free. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from serinus.errors import Finding, PreflightError, Refused, Unavailable
from serinus.ports import Kept, Ports
from serinus.release.evidence import parse
from serinus.release.record import Foreign, Outcome, State

LOOK_SECONDS = 0.5
REPLACED_SECONDS = 10.0
"""An end is copied to the evidence a moment after it stands in the record."""


async def until_free(ports: Ports, service: str, seconds: float) -> None:
    """Until no release of the service is going.

    Raises:
        PreflightError: one still is, after so long
    """
    until = ports.clock.monotonic() + seconds
    while True:
        kept = await _read(ports)
        if kept is None or kept.record.ended:
            return
        if ports.clock.monotonic() >= until:
            what = f"release {kept.record.release} is still going after {seconds:g} s"
            raise PreflightError((Finding(what, f"service {service}", f"end it: serinus abort {service}"),))
        await ports.clock.sleep(LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a release ended: `promoted` or `rolled back`, and why."""

    state: State
    outcome: Outcome


async def until_ended(ports: Ports, release: str) -> Ended:
    """How this release ended, whoever ended it; by its evidence where another one has the record already.

    Raises:
        Refused: another one has it, and the evidence of this one has no end
    """
    since_replaced = 0.0
    while since_replaced < REPLACED_SECONDS:
        kept = await _read(ports)
        if kept is None or isinstance(kept.record, Foreign) or kept.record.release != release:
            found = await _end_line(ports, release)
            if found:
                return found
            since_replaced += LOOK_SECONDS
        elif kept.record.ended:
            return Ended(kept.record.state, kept.record.outcome or Outcome(str(kept.record.state)))
        await ports.clock.sleep(LOOK_SECONDS)
    raise Refused(f"{release} has no record any more, and its evidence has no end: another release has begun since")


async def _end_line(ports: Ports, release: str) -> Ended | None:
    """What the last line of its evidence says; None where that is no end."""
    try:
        lines = await ports.ledger.lines(release)
        last = parse(lines[-1]) if lines else None
    except (Unavailable, Refused, ValueError):
        return None
    if last is None or last.kind != "end" or last.data.get("outcome") not in set(State):
        return None
    return Ended(State(last.data["outcome"]), Outcome(str(last.data.get("why", ""))))


async def _read(ports: Ports) -> Kept | None:
    """The record, asked again where the ledger may answer later: a wait of minutes does not end by one of its moments."""
    for _ in range(60):
        try:
            return await ports.ledger.read()
        except Unavailable:
            await ports.clock.sleep(LOOK_SECONDS)
    return await ports.ledger.read()

"""Wait for somebody else's release: until it has ended, or until the service is free. Reads only."""

from __future__ import annotations

from serinus.errors import Finding, PreflightError, Refused, Unavailable
from serinus.ports import Kept, Ports
from serinus.release.record import Foreign, Record

LOOK_SECONDS = 0.5


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


async def until_ended(ports: Ports, release: str) -> Record:
    """The record of this release once it has ended, whoever ended it.

    Raises:
        Refused: another one has begun since: the record is the other's now
    """
    while True:
        kept = await _read(ports)
        if kept is None or isinstance(kept.record, Foreign) or kept.record.release != release:
            raise Refused(f"{release} has no record any more: another release has begun since")
        if kept.record.ended:
            return kept.record
        await ports.clock.sleep(LOOK_SECONDS)


async def _read(ports: Ports) -> Kept | None:
    """The record, asked again where the ledger may answer later: a wait of minutes does not end by one of its moments."""
    for _ in range(60):
        try:
            return await ports.ledger.read()
        except Unavailable:
            await ports.clock.sleep(LOOK_SECONDS)
    return await ports.ledger.read()

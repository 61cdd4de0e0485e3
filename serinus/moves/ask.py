"""Ask something of a live release, from anywhere: abort, pause, resume, promote. Needs no policy, metrics or Prefect.

An abort also closes the route at once; ending the release is its owner's part, or the guard's. Where the route cannot be closed from
here, its owner is asked meanwhile: it may be able to.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from enum import StrEnum

from serinus.errors import Drift, PlatformError, Refused, SerinusError
from serinus.moves.close import close
from serinus.moves.engine import LOCAL, Closed, Timing
from serinus.moves.undo import touches_stable
from serinus.ports import Ports, Route
from serinus.release.mark import Mark, Mode
from serinus.release.record import Ask, Record, Verb
from serinus.release.weight import NOTHING

log = logging.getLogger("serinus.ask")


class Left(StrEnum):
    """Why an abort closed no route: what is left to the release's owner, who was asked."""

    UNSERVED = "nothing serves the canary yet"
    PROMOTING = "stable was given the new version"


def new_ask(verb: Verb, who: str, why: str = "", *, despite_gate: bool = False) -> Ask:
    """An ask with an id of its own."""
    return Ask(secrets.token_hex(8), verb, who, why, despite_gate)


async def ask(ports: Ports, wanted: Ask) -> str:
    """Put it in the inbox of the live release.

    Returns:
        the release that was asked

    Raises:
        Refused: nothing is live
    """
    kept = await ports.ledger.ask(wanted)
    return kept.record.release


async def abort(ports: Ports, who: str, why: str = "", *, release: str = "", timing: Timing = LOCAL) -> Closed | Left:
    """Return the traffic now, and ask the owner to end the release.

    The route is closed even where the record cannot be read or written: an open mark alone is enough.

    Args:
        release: the one that is meant, another's mark and record are left alone; empty: whichever serves, else the live one

    Returns:
        how the route was closed, or why that is left to the owner, who was asked.

    Raises:
        Refused: there is nothing to abort, or a live release was not asked
        PlatformError: neither could the route be closed nor the owner be asked
    """
    route = await ports.router.read()
    # Of the release that is found now: the next one of the service is nobody's to abort.
    release = release or _serving(route.mark) or await _live(ports)
    wanted = new_ask(Verb.ABORT, who, why)
    returned = await _returned(ports, route, wanted, release, timing)
    try:
        kept = await ports.ledger.ask(wanted, release)
    except PlatformError as cause:
        if not isinstance(returned, Closed):
            raise
        await _none_other(ports, release, cause)
        return returned
    if returned is not Left.UNSERVED:
        return returned
    if isinstance(kept.record, Record) and touches_stable(kept.record):  # its mark is off already
        return Left.PROMOTING
    # It may have marked the route meanwhile.
    return await _returned(ports, await ports.router.read(), wanted, release, timing)


def _serving(mark: Mark | None) -> str:
    """Whose canary serves or may; one whose mark is closed or replaced may have been followed by another."""
    return mark.release if mark is not None and mark.mode in (Mode.OPEN, Mode.PROMOTING) else ""


async def _live(ports: Ports) -> str:
    kept = await ports.ledger.read()
    if kept is None or kept.record.ended:
        raise Refused("no release is live: there is nothing to abort")
    return kept.record.release


async def _returned(ports: Ports, route: Route, wanted: Ask, release: str, timing: Timing) -> Closed | Left:
    """The traffic, as far as that is anybody's to return; a weight whose mark is gone is the live release's."""
    mark = route.mark
    if mark is None and route.weight == NOTHING:
        return Left.UNSERVED
    if mark is not None and mark.release != release:
        return Left.UNSERVED
    if mark is not None and mark.mode is Mode.REPLACED:
        return Left.PROMOTING
    try:
        return await close(
            ports.router,
            ports.clock,
            release,
            f"aborted by {wanted.who}" + (f": {wanted.why}" if wanted.why else ""),
            timing=timing,
            late_after_seconds=timing.again_seconds,
            late=_meanwhile(ports, wanted, release),
        )
    except Drift:
        return Left.PROMOTING


async def _none_other(ports: Ports, release: str, cause: PlatformError) -> None:
    """The closed route tells its own release, whoever can be asked; it tells no other.

    Raises:
        Refused: another one is live
    """
    try:
        kept = await ports.ledger.read()
    except PlatformError:
        return
    if kept is not None and not kept.record.ended and kept.record.release != release:
        what = f"the route of {release} is closed, but {kept.record.release} is going and was not asked"
        raise Refused(what, "abort once more to end it") from cause


def _meanwhile(ports: Ports, wanted: Ask, release: str) -> Callable[[str], Awaitable[bool]]:
    """Asks, beside the tries to close; an ask is known by its id, however often it is made."""

    async def asked(still: str) -> bool:
        try:
            await ports.ledger.ask(wanted, release)
        except SerinusError as cause:
            log.warning("%s; its owner could not be asked either: %s", still, cause)
            return False
        return True

    return asked

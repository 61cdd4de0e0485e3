"""Ask something of a live release, from anywhere: abort, pause, resume, promote. Needs no policy, metrics or Prefect.

An abort also closes the route at once; ending the release is its owner's part, or the guard's. Where the route cannot be closed from
here, its owner is asked meanwhile: it may be able to.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable

from serinus.errors import Drift, PlatformError, SerinusError
from serinus.moves.close import close
from serinus.moves.engine import LOCAL, Closed, Timing
from serinus.ports import Ports
from serinus.release.record import Ask, Verb

log = logging.getLogger("serinus.ask")


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


async def abort(ports: Ports, who: str, why: str = "", *, timing: Timing = LOCAL) -> Closed | None:
    """Return the traffic now, and ask the owner to end the release.

    The route is closed even where the record cannot be read or written: an open mark alone is enough.

    Returns:
        how the route was closed; None where stable is being changed, and the owner's undo returns the traffic

    Raises:
        Refused: there is nothing to abort
        PlatformError: neither could the route be closed nor the owner be asked
    """
    route = await ports.router.read()
    sentence = f"aborted by {who}" + (f": {why}" if why else "")
    # Of the release whose route is closed: the next one of the service is nobody's to abort.
    wanted, release = new_ask(Verb.ABORT, who, why), route.mark.release if route.mark else ""
    closed: Closed | None = None
    try:
        if release:
            closed = await close(
                ports.router,
                ports.clock,
                release,
                sentence,
                timing=timing,
                late_after_seconds=timing.again_seconds,
                late=_meanwhile(ports, wanted, release),
            )
    except Drift:
        closed = None
    try:
        await ports.ledger.ask(wanted, release)
    except PlatformError:
        if closed is None:
            raise
    return closed


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

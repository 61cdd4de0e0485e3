"""Ask something of a live release, from anywhere: abort, pause, resume, promote. Needs no policy, metrics or Prefect.

An abort also closes the route at once; ending the release is its owner's part, or the guard's.
"""

from __future__ import annotations

import secrets

from serinus.errors import Drift, PlatformError
from serinus.moves.close import close
from serinus.moves.engine import LOCAL, Closed, Timing
from serinus.ports import Ports
from serinus.release.record import Ask, Verb


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
    closed: Closed | None = None
    try:
        if route.mark is not None:
            closed = await close(ports.router, ports.clock, route.mark.release, sentence, timing=timing)
    except Drift:
        closed = None
    try:
        # Of the release whose route was closed: the next one of the service is nobody's to abort.
        await ports.ledger.ask(new_ask(Verb.ABORT, who, why), route.mark.release if route.mark else "")
    except PlatformError:
        if closed is None:
            raise
    return closed

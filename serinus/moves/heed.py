"""What is done at once where something ends a release, before anybody is told: a taker then finds that it was to be ended.

Traffic on a canary is returned, and its mark says why. From `promoting` on the record says that the previous version is to be put back.
"""

from __future__ import annotations

import logging

from serinus.errors import Unavailable
from serinus.moves import undo
from serinus.moves.close import close_held
from serinus.moves.engine import Engine
from serinus.release.lifecycle import Action

log = logging.getLogger("serinus.heed")


async def heed(engine: Engine, action: Action) -> None:
    """For an action that ends the release; found done where it is. Where the record cannot be written, `undo` says it again.

    Raises:
        Fenced: somebody else holds the release now
    """
    if not undo.touches_stable(engine.record):
        await close_held(engine, action.why)
        return
    try:
        await undo.begin(engine, action)
    except Unavailable as cause:
        log.warning("%s: that it is to be undone is not written yet: %s", engine.release, cause)

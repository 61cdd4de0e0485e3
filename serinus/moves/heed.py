"""What is done at once where something ends a release, before anybody is told: a taker then finds that it was to be ended.

Traffic on a canary is returned, and its mark says why. From `promoting` on the record says that the previous version is to be put back.
"""

from __future__ import annotations

from serinus.moves import undo
from serinus.moves.close import close_held
from serinus.moves.engine import Engine
from serinus.release.lifecycle import Action


async def heed(engine: Engine, action: Action) -> None:
    """For an action that ends the release; found done where it is.

    Raises:
        Fenced: somebody else holds the release now
        Unavailable: the record could not be written for long
    """
    if undo.touches_stable(engine.record):
        await undo.begin(engine, action)
    else:
        await close_held(engine, action.why)

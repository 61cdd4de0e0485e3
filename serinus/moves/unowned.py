"""What becomes of a weight and a mark that no known owner answers for: to stable, where stable can serve.

Whether nobody owns them is `look`'s question.
"""

from __future__ import annotations

from serinus.errors import Drift
from serinus.moves.close import close_once
from serinus.ports import Kept, Ports, Route
from serinus.release.mark import Mode
from serinus.release.record import Foreign
from serinus.release.weight import NOTHING


async def close_unowned(ports: Ports, release: str, route: Route, why: str) -> bool:
    """The weight back to stable, where no record says how; False where nothing was left to do.

    Raises:
        Drift: stable is being changed and cannot serve yet: the canary serves until it can
    """
    mark = route.mark
    if mark is None or mark.release != release or mark.mode is not Mode.PROMOTING:
        return not await close_once(ports.router, ports.clock, release, why)
    if not (await ports.workload.stable()).settled:
        raise Drift("its canary serves on, stable is not ready")
    await ports.router.write(mark.then(Mode.CLOSED, NOTHING, why), route)
    return True


async def unmark(ports: Ports, kept: Kept | None, release: str) -> bool:
    """The route's part as it was found; False where the mark is gone or another's."""
    route = await ports.router.read()
    if route.mark is None or route.mark.release != release:
        return False
    await ports.router.restore(_original(kept, release), route)
    return True


def _original(kept: Kept | None, release: str) -> str:
    record = kept.record if kept else None
    if record is None or isinstance(record, Foreign) or record.release != release:
        return ""
    return record.previous.route

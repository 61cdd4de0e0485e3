"""How are all channels told, whatever becomes of one of them?"""

from __future__ import annotations

import asyncio

from serinus.errors import Unavailable
from serinus.ports import Notice, Notifier


class SeveralNotifiers:
    """All at once.

    Args:
        notifiers: any number, none included
    """

    def __init__(self, *notifiers: Notifier) -> None:
        self._notifiers = notifiers

    async def tell(self, notice: Notice) -> None:
        """See `ports.Notifier`.

        Raises:
            Unavailable: after all have been tried, with the words of each that failed
        """
        results = await asyncio.gather(*(one.tell(notice) for one in self._notifiers), return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        if failed:
            # A fault of a channel's own code must not keep the others from being told, but it must be seen.
            words = "; ".join(str(error) or type(error).__name__ for error in failed)
            raise Unavailable(f"{len(failed)} of {len(results)} channels were not told: {words}") from failed[0]

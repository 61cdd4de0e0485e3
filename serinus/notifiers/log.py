"""How are people told who read the log?"""

from __future__ import annotations

import logging

from serinus.ports import Notice

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


class LogNotifier:
    """A line a notice.

    Args:
        logger: where to; the one named `serinus.notice` where none is given
    """

    def __init__(self, logger: Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("serinus.notice")

    async def tell(self, notice: Notice) -> None:
        """See `ports.Notifier`."""
        level = logging.CRITICAL if notice.urgent else logging.WARNING
        self._logger.log(level, "%s: %s [%s]", notice.service, notice.text, notice.id)

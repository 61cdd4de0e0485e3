"""No metrics are known: what returns traffic works without, and everything else is told so."""

from __future__ import annotations

from typing import Self

from serinus.analysis.reading import History, Reading
from serinus.errors import Finding, Unavailable


class AbsentMetrics:
    """`ports.Metrics` that never has a figure.

    Args:
        why: one sentence
    """

    def __init__(self, why: str) -> None:
        self._why = why

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def read(self) -> Reading:
        raise Unavailable(self._why)

    async def until_scrape(self) -> float:
        raise Unavailable(self._why)

    async def history(self) -> History | None:
        raise Unavailable(self._why)

    async def findings(self) -> tuple[Finding, ...]:
        return (Finding(self._why, "metrics", "start what has them, or name it in `telemetry`"),)

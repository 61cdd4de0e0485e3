"""A ledger whose every written move is told to kubectl's users as well: the record knows what happened, and traffic moved before it."""

from __future__ import annotations

from collections.abc import Sequence

from serinus.kube.telling import Telling
from serinus.ports import Kept, Ledger
from serinus.release.evidence import Line
from serinus.release.record import Ask, Record


class ToldLedger:
    """`ports.Ledger`.

    Args:
        ledger: keeps the record
        telling: is handed each write that was acknowledged
    """

    def __init__(self, ledger: Ledger, telling: Telling) -> None:
        self._ledger = ledger
        self._telling = telling
        self._before: Record | None = None

    async def read(self) -> Kept | None:
        return self._known(await self._ledger.read())

    async def write(self, record: Record, seen: str | None) -> Kept:
        before, kept = self._before, await self._ledger.write(record, seen)
        self._known(kept)
        self._telling.tell(before, record)
        return kept

    async def ask(self, ask: Ask, release: str = "") -> Kept:
        return await self._ledger.ask(ask, release)

    async def append(self, release: str, lines: Sequence[Line]) -> None:
        await self._ledger.append(release, lines)

    async def lines(self, release: str) -> tuple[str, ...]:
        return await self._ledger.lines(release)

    def _known(self, kept: Kept | None) -> Kept | None:
        self._before = kept.record if kept and isinstance(kept.record, Record) else None
        return kept

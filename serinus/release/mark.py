"""The mark on the route: written together with the weight, it says whether that may rise.

Closed is a latch: within a release no mode leads back to `open`. Who writes it, and when, is `serinus.moves`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from serinus.release.weight import NOTHING, Weight


class Mode(StrEnum):
    """`open -> closed`, `open -> promoting -> replaced` or `closed`; never back within a release."""

    OPEN = "open"
    CLOSED = "closed"
    PROMOTING = "promoting"
    REPLACED = "replaced"


AFTER = {
    Mode.OPEN: frozenset({Mode.OPEN, Mode.CLOSED, Mode.PROMOTING}),
    Mode.PROMOTING: frozenset({Mode.PROMOTING, Mode.REPLACED, Mode.CLOSED}),
    Mode.CLOSED: frozenset({Mode.CLOSED}),
    Mode.REPLACED: frozenset({Mode.REPLACED}),
}
"""Which mode may follow which, within one release."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Schema 1, for ever: a guard of any age must be able to read it.

    Args:
        release: the release whose canary serves
        token: which holder of the release wrote it; never falls
        seq: grows with every write, so that no two writes are alike
        mode: whether the weight may rise
        weight: the weight as it was written
        why: one sentence; why it was closed
    """

    release: str
    token: int
    seq: int
    mode: Mode
    weight: Weight
    why: str = ""

    def then(self, mode: Mode, weight: Weight, why: str = "", token: int | None = None) -> Mark:
        """The next mark of the same release.

        Raises:
            ValueError: a step back: closed and replaced never carry weight again
        """
        if mode not in AFTER[self.mode]:
            raise ValueError(f"a {self.mode} mark never becomes {mode}")
        if mode in (Mode.CLOSED, Mode.REPLACED) and weight != NOTHING:
            raise ValueError(f"a {mode} mark carries no weight")
        return replace(
            self,
            token=self.token if token is None else token,
            seq=self.seq + 1,
            mode=mode,
            weight=weight,
            why=why or self.why,
        )

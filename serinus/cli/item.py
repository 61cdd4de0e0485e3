"""What does `doctor` say of one thing that it looked at?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at.

    Args:
        mend: what to do; empty where it is in order
        fatal: no release can run without it
    """

    what: str
    found: str
    mend: str = ""
    fatal: bool = True

    @property
    def mark(self) -> tuple[str, str]:
        """A word and its colour."""
        if not self.mend:
            return "ok", "good"
        return ("missing", "bad") if self.fatal else ("note", "warn")

"""How long has one and the same thing been seen? On one process' own clock, which is passed in; what follows is the caller's."""

from __future__ import annotations


class Standing:
    """What was seen last, and since when."""

    def __init__(self) -> None:
        self._what: object = None
        self._since = 0.0

    def lasted(self, what: object, now: float) -> float:
        """Seconds since it was first seen; any other thing in between begins it anew."""
        if what != self._what:
            self._what, self._since = what, now
        return now - self._since

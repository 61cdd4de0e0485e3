"""What the shell is told: one number for each way in which a command ends."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Exit codes, the same for every verb."""

    DONE = 0
    UNEXPECTED = 1
    """A bug of ours, a platform that failed, a finding of `doctor` and `evidence verify`, or a result that could not be written."""
    WRONG = 2
    """Usage or policy: the user's to mend."""
    REFUSED = 3
    """By preflight: nothing was touched."""
    ROLLED_BACK = 4
    UNRETURNED = 5
    """This process ended before weight 0 had been read back, or before stable was put back: the guard goes on."""
    FENCED = 6
    """Somebody else holds the release now."""
    GOING = 7
    """Submitted, or let go: the release goes on without this process."""


BY_OUTCOME = {
    "promoted": Code.DONE,
    "rolled back": Code.ROLLED_BACK,
    "rollback failed": Code.UNRETURNED,
    "refused": Code.REFUSED,
    "fenced": Code.FENCED,
    "going": Code.GOING,
}
"""The code of a release's summary, by its `outcome`."""

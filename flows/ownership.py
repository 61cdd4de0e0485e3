"""Fit and ours: preflight and acquire; where others are to be waited for, both again after each of them."""

from __future__ import annotations

from serinus.errors import Busy
from serinus.release.plan import Plan
from tasks.acquire import acquire
from tasks.cancel import withdrawable
from tasks.moved import Moved
from tasks.preflight import preflight
from tasks.retry import handed
from tasks.turn import turn


async def own(plan: Plan, wait: bool) -> Moved:
    """Become the owner of the service's release.

    Args:
        wait: another release that is going is waited for, as long as a release may take; else it is refused

    Raises:
        PreflightError: the target is unfit, or the service busy; nothing was touched
    """
    before: Moved | None = None
    while True:
        with withdrawable():
            if wait:  # first: what preflight finds while another release goes on is not what it leaves behind
                before = await turn(plan.service, plan.limits.duration_seconds, before)
            fit = await handed(preflight(plan.service, before))
        try:
            return await handed(acquire(plan.service, fit))
        except Busy:  # another release was faster: its end is waited for
            if not wait:
                raise

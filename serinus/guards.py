"""Whose guards are open? One for each service that has a record, at the objects that its newest release names.

Where services are is `ground`'s question; what a guard does is `serinus.moves.look`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from serinus.errors import PlatformError, SerinusError
from serinus.moves.look import Guard
from serinus.release.plan import Target

Opening = Callable[[str, Target], AbstractAsyncContextManager[Guard]]
Targets = Callable[[], Awaitable[Mapping[str, Target | None]]]


@dataclass(frozen=True, slots=True)
class _Opened:
    guard: Guard
    target: Target
    stack: AsyncExitStack


class Guards:
    """The guards that are open.

    Args:
        targets: the services that there are now, and where their objects are; None where nobody knows
        opening: one guard and its world
    """

    def __init__(self, targets: Targets, opening: Opening) -> None:
        self._targets = targets
        self._opening = opening
        self._opened: dict[str, _Opened] = {}
        self.known = False
        """Which services there are could be asked when it was asked last."""

    async def current(self) -> tuple[Mapping[str, Guard], list[str]]:
        """Those to look with now, each as it was left; and why others, or new ones, cannot be.

        A service that has lost its record is looked at until nothing of a release is left of it, or a person was told that it cannot
        be; and one whose objects are elsewhere now is looked at there.
        """
        try:
            targets = await self._targets()
        except PlatformError as cause:
            self.known = False
            return self._guards(), [f"cannot look for services: {cause}"]
        self.known = True
        for service, one in tuple(self._opened.items()):
            over = service not in targets and (one.guard.clean or one.guard.told)
            if over or (targets.get(service) or one.target) != one.target:
                await self._opened.pop(service).stack.aclose()
        troubles = [await self._open(service, targets[service]) for service in targets if service not in self._opened]
        return self._guards(), [trouble for trouble in troubles if trouble]

    def _guards(self) -> dict[str, Guard]:
        return {service: one.guard for service, one in self._opened.items()}

    async def _open(self, service: str, target: Target | None) -> str:
        """Why it cannot be: the others are guarded all the same."""
        if target is None:
            return f"{service}: cannot be guarded: its record does not say where its route is"
        async with AsyncExitStack() as stack:
            try:
                guard = await stack.enter_async_context(self._opening(service, target))
                stack.push_async_callback(guard.stop)
            except Exception as cause:  # a bug too, such as of a record that another version has written
                return f"{service}: cannot be guarded: {str(cause) if isinstance(cause, SerinusError) else repr(cause)}"
            self._opened[service] = _Opened(guard, target, stack.pop_all())
        return ""

    async def aclose(self) -> None:
        """Look no more."""
        for service in tuple(self._opened):
            await self._opened.pop(service).stack.aclose()


@asynccontextmanager
async def guarding(targets: Targets, opening: Opening) -> AsyncIterator[Guards]:
    """Guards, until the block ends."""
    guards = Guards(targets, opening)
    try:
        yield guards
    finally:
        await guards.aclose()

"""When is a running container asked, and what follows? Its startup probe first, then readiness and liveness side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from serinus.local.cluster.node.probe import Probe, Tally, Where, ask, counted, probe_of
from serinus.local.cluster.node.status import Object

FIRST_SECONDS = 0.1
"""Until its first yes a container without initial delay is asked this often, and a no does not count within the first
period: a kubelet, too, asks at moments of its own."""


@dataclass(slots=True)
class Prober:
    """The probes of one life of a container.

    Args:
        says: called with (started, ready) at each change
        unhealthy: called with each answer that was no
        failed: set when the container must be ended: alive no more, or not started in time
    """

    container: Object
    where: Where
    client: httpx.AsyncClient
    says: Callable[[bool, bool], None]
    unhealthy: Callable[[str], None]
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def begin(self) -> None:
        startup = probe_of(self.container, "startupProbe")
        if startup is None:
            self._started()
        else:
            self._go(startup, "Startup", lambda yes: self._started() if yes else self.failed.set())

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _started(self) -> None:
        readiness, liveness = probe_of(self.container, "readinessProbe"), probe_of(self.container, "livenessProbe")
        self.says(True, readiness is None)
        if readiness is not None:
            self._go(readiness, "Readiness", lambda yes: self.says(True, yes))
        if liveness is not None:
            self._go(liveness, "Liveness", lambda yes: None if yes else self.failed.set())

    def _go(self, probe: Probe, kind: str, told: Callable[[bool], None]) -> None:
        self._tasks.append(asyncio.ensure_future(self._ask_on(probe, kind, told)))

    async def _ask_on(self, probe: Probe, kind: str, told: Callable[[bool], None]) -> None:
        """Until cancelled, or a startup probe has said its last word."""
        tally = Tally(says=kind == "Liveness")
        eager = kind != "Liveness" and not probe.delay and "exec" not in probe.action
        loop = asyncio.get_running_loop()
        await asyncio.sleep(probe.delay if eager or probe.delay else probe.period)
        counts_from = loop.time() + (probe.period if eager else 0)
        while True:
            why = await ask(probe.action, self.where, probe.timeout, self.client)
            if not why or loop.time() >= counts_from:
                before, tally = tally, counted(tally, not why, probe)
                counts_from = loop.time() + (probe.period if eager else 0)
                if why:
                    self.unhealthy(f"{kind} probe failed: {why}")
                over = kind == "Startup" and (tally.says or tally.streak >= probe.to_fail)
                if over or tally.says != before.says:
                    told(tally.says)
                if over:
                    return
            eager = eager and not tally.says
            await asyncio.sleep(min(FIRST_SECONDS, probe.period) if eager else probe.period)

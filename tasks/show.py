"""A release made visible in Prefect: a bar that moves, a timeline, links, a report, an event for each move.

What the texts say is `report`'s question, how they are sent `books`'. Nothing that holds a release waits for any of it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.context import FlowRunContext, TaskRunContext
from prefect.events import emit_event
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Failed

from serinus.errors import SerinusError
from serinus.release.record import Record
from serinus.wiring import Run
from tasks.books import Books
from tasks.moved import Moved
from tasks.report import progress, refusal, report, row

LAST_SECONDS = 30.0
"""How long the end of a run waits for its cards; the release has ended before."""
SOON_SECONDS = 5.0
"""The same, where somebody else waits on."""
ROWS = 400


class Show:
    """One run's page."""

    def __init__(self, run: Run, books: Books) -> None:
        self._run = run
        self.books = books
        self._rows: list[dict[str, Any]] = []
        self._slug = slug(run.plan.service)

    def begin(self) -> None:
        """Tags and links, which never change."""
        plan = self._run.plan
        self.books.tags(["canary", f"service:{plan.service}", f"version:{plan.version}"])
        for name, address in self._run.pages().items():
            self.books.card(f"{self._slug}-{slug(name)}", "markdown", f"[{name}]({address})", f"{name}: {address}")

    def told(self, name: str, moved: Moved, detail: str = "") -> None:
        """One more move: a row and an event."""
        engine = self._run.engine
        if engine is None:
            return
        record = engine.record
        self._rows = [*self._rows[-ROWS:], row(name, moved, record, detail)]
        self.books.card(f"{self._slug}-timeline", "table", json.dumps(self._rows), f"every move of {record.release}")
        context = TaskRunContext.get()
        self._emit(context.task.name if context else slug(name), self._rows[-1], record)
        self.moving()

    def moving(self) -> None:
        """The bar."""
        if self._run.engine is not None:
            percent, sentence = progress(self._run.engine.record)
            self.books.card(f"{self._slug}-progress", "progress", percent, sentence)

    def end(self) -> None:
        """The report, and the record's last word everywhere."""
        engine = self._run.engine
        if engine is None:
            return
        self.moving()
        text = report(engine.record, engine.verdict, self._run.evidence, self.books.silent_seconds)
        head = f"{engine.record.state}, evidence {engine.record.head.n} lines, {engine.record.head.hash[:12]}"
        self.books.card(f"{self._slug}-report", "markdown", text, head)
        last = {"state": str(engine.record.state), "head": engine.record.head.hash}
        self._emit(slug(engine.record.state), last, engine.record)

    def _emit(self, verb: str, said: dict[str, Any], record: Record) -> None:
        resource = {
            "prefect.resource.id": f"serinus.release.{record.release}",
            "prefect.resource.name": f"{record.plan.service} {record.plan.version}",
            "serinus.service": record.plan.service,
        }
        self.books.event(lambda: emit_event(f"serinus.{verb}", resource, payload=said))


_show: ContextVar[Show | None] = ContextVar("serinus_show", default=None)
unsent: ContextVar[list[Books] | None] = ContextVar("serinus_unsent", default=None)
"""Where a run leaves the cards that its server has not taken, to whoever waits for its end anyway; None: nobody does."""


class Withdrawn(SerinusError):
    """The run was cancelled before it owned a release: nothing was touched."""


@asynccontextmanager
async def shown(run: Run) -> AsyncIterator[None]:
    """Show a release for as long as it goes; outside of a flow run nothing is shown."""
    flow_run = page_run()
    if flow_run is None:
        yield
        return
    books = Books(flow_run.id)
    show = Show(run, books)
    token = _show.set(show)
    books.open()
    moving = asyncio.create_task(_move(show, run))
    show.begin()
    try:
        yield
    finally:
        _show.reset(token)
        moving.cancel()
        show.end()
        await _closed(books)


async def _closed(books: Books) -> None:
    waiting = unsent.get()
    if waiting is None:
        await books.close(LAST_SECONDS)
    elif not await books.close(SOON_SECONDS):
        books.open()
        waiting.append(books)


async def _move(show: Show, run: Run) -> None:
    """Move the bar about a hundred times a release."""
    plan = run.plan
    whole = sum(phase.soak_seconds for phase in (*plan.phases, plan.bake))
    every = min(max(whole / 100, 1.0), 15.0)
    while True:
        await asyncio.sleep(every)
        show.moving()


@contextmanager
def quiet() -> Iterator[None]:
    """Send nothing meanwhile: SQLite answers 503 to one of two who write at once, and Prefect's client then waits for 2 s."""
    show = _show.get()
    if show is None:
        yield
        return
    show.books.may_send.clear()
    try:
        yield
    finally:
        show.books.may_send.set()


def told(name: str, moved: Moved, detail: str = "") -> Moved:
    """Show this move, and hand it on."""
    show = _show.get()
    if show is not None:
        show.told(name, moved, detail)
    return moved


async def refused(service: str, version: str, error: SerinusError) -> RunState[None]:
    """The state of a release that never began; every problem is on its page. One that was cancelled may only end as Cancelled."""
    flow_run = page_run()
    if flow_run is not None:
        books = Books(flow_run.id)
        problems = [str(problem) for problem in getattr(error, "problems", getattr(error, "hindering", (error,)))]
        books.card(f"{slug(service)}-report", "markdown", refusal(service, version, problems), "refused")
        await _closed(books)
    return Cancelled(message=str(error)) if isinstance(error, Withdrawn) else Failed(name="Refused", message=str(error))


def page_run() -> FlowRun | None:
    """The flow run that this code belongs to."""
    context = FlowRunContext.get()
    return context.flow_run if context else None


def page() -> str:
    """Where it can be watched; empty outside of a flow run."""
    flow_run = page_run()
    settings = get_current_settings()
    ui = settings.ui_url or (settings.api.url or "").removesuffix("/").removesuffix("/api")
    return f"{ui}/runs/flow-run/{flow_run.id}" if flow_run and ui else ""


def key() -> str:
    """What started the run, so that the same start is the same release; empty where nobody said."""
    flow_run = page_run()
    return (flow_run.idempotency_key or "") if flow_run else ""


def slug(text: str) -> str:
    """A name as artifact keys may be: `[a-z0-9-]+`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "release"

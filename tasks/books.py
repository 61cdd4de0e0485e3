"""What is shown beside the moves (artifacts, events, tags): sent by one worker of its own, so that no move waits for the server.

Bounded: of each key only the newest waits, of events the last few hundred. A server that is slow, stopped or gone costs nothing
but what it would have shown. Knows nothing of releases.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey
from prefect.exceptions import PrefectHTTPStatusError

from serinus.within import within

log = logging.getLogger("serinus.books")
SEND_SECONDS = 5.0
"""How long one thing may take to be sent before it waits for its next turn."""
PAUSE_SECONDS = 1.0
TIDY_SECONDS = 1.0
EVENTS = 256

Send = Callable[[PrefectClient], Awaitable[None]]


class Books:
    """One run's bookkeeping, sent between `open` and `close`.

    Args:
        run: the flow run that everything belongs to
    """

    def __init__(self, run: UUID) -> None:
        self._run = run
        self._waiting: dict[str, Send] = {}
        self._events: deque[Callable[[], object]] = deque(maxlen=EVENTS)
        self._cards: dict[str, UUID] = {}
        self._doubtful: set[str] = set()
        self._work: asyncio.Task[None] | None = None
        self._silent_since: float | None = None
        self._was_silent_seconds = 0.0
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.may_send = asyncio.Event()
        """Cleared, what is put waits: a server with one writer (SQLite) has something else to do."""
        self.may_send.set()

    @property
    def silent_seconds(self) -> float:
        """How long the server has not taken what was sent: what Prefect itself reports of that time may be missing."""
        since = self._silent_since
        return self._was_silent_seconds + (0.0 if since is None else asyncio.get_running_loop().time() - since)

    def put(self, key: str, send: Send) -> None:
        """Send this; whatever waits under the same key is left out."""
        self._waiting[key] = send
        self._stir()

    def card(self, key: str, kind: str, data: Any, description: str) -> None:
        """An artifact of the run: made once, then changed in place.

        Args:
            key: `[a-z0-9-]+`
            kind: `progress`, `table`, `markdown`
        """

        async def send(client: PrefectClient) -> None:
            made = await self._made(client, key) if key in self._doubtful else []
            if made:
                self._cards.setdefault(key, made[0])
            if key in self._cards:
                await client.update_artifact(self._cards[key], ArtifactUpdate(data=data, description=description))
            else:
                self._cards[key] = await self._make(client, key, kind, data, description)
            if self._cards[key] in made:
                await self._remove(client, [late for late in made if late != self._cards[key]])

        self.put(key, send)

    def tags(self, tags: list[str]) -> None:
        """Tags of the flow run alone; set here, they reach none of its tasks."""

        async def send(client: PrefectClient) -> None:
            await client.update_flow_run(self._run, tags=tags)

        self.put("tags", send)

    def event(self, emit: Callable[[], object]) -> None:
        """Emit this in its turn; the oldest is dropped where too many wait."""
        self._events.append(emit)
        self._stir()

    def open(self) -> None:
        """Begin to send; again where a cancel of the run has ended the worker with it."""
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._send())

    async def close(self, seconds: float) -> bool:
        """Wait until everything is sent, at most so long. False: something is left out."""
        self.open()
        self.may_send.set()
        try:
            async with within(seconds):
                await self._empty.wait()
        except TimeoutError:
            log.warning("%s of the run's cards could not be sent", len(self._waiting))
            return False
        finally:
            if self._work is not None:
                self._work.cancel()
                await asyncio.wait({self._work}, timeout=1.0)
        return True

    async def _send(self) -> None:
        async with get_client(httpx_settings={"timeout": SEND_SECONDS}) as client:
            while True:
                await self._news.wait()
                await self.may_send.wait()
                self._emit()
                if await self._send_one(client):
                    continue
                await asyncio.sleep(PAUSE_SECONDS)

    def _emit(self) -> None:
        while self._events:
            emit = self._events.popleft()
            try:
                emit()
            except Exception as cause:
                log.warning("an event could not be sent: %r", cause)

    async def _send_one(self, client: PrefectClient) -> bool:
        """False where the server did not take it: it waits on, unless something newer has come."""
        if not self._waiting:
            self._news.clear()
            self._empty.set()
            return True
        key, send = next(iter(self._waiting.items()))
        try:
            async with within(SEND_SECONDS):
                await send(client)
        except Exception as cause:  # whatever it is, it is bookkeeping
            if not _refused(cause):
                log.debug("%s waits: %r", key, cause)
                self._heard(False)
                return False
            log.warning("%s was refused and is left out: %s", key, cause)
        self._heard(True)
        if self._waiting.get(key) is send:
            del self._waiting[key]
        return True

    async def _make(self, client: PrefectClient, key: str, kind: str, data: Any, description: str) -> UUID:
        wanted = ArtifactCreate(key=key, type=kind, data=data, description=description, flow_run_id=self._run)
        try:
            return (await client.create_artifact(wanted)).id
        except BaseException:
            self._doubtful.add(key)  # it may be made all the same, and late
            raise

    async def _made(self, client: PrefectClient, key: str) -> list[UUID]:
        """The cards of this key that the server has."""
        wanted = ArtifactFilter(
            flow_run_id=ArtifactFilterFlowRunId(any_=[self._run]), key=ArtifactFilterKey(any_=[key])
        )
        return [found.id for found in await client.read_artifacts(artifact_filter=wanted)]

    async def _remove(self, client: PrefectClient, late: list[UUID]) -> None:
        """Take away what was made late beside the card that was just sent; a server that does not allow it keeps both."""
        try:
            async with within(TIDY_SECONDS):
                for card in late:
                    await client.delete_artifact(card)
        except Exception as cause:
            log.debug("a card may be there twice: %r", cause)

    def _heard(self, answered: bool) -> None:
        now = asyncio.get_running_loop().time()
        if self._silent_since is not None:
            self._was_silent_seconds += now - self._silent_since
        self._silent_since = None if answered else now

    def _stir(self) -> None:
        self._empty.clear()
        self._news.set()


def _refused(cause: Exception) -> bool:
    """The server answered, and the same thing sent again would be answered so again."""
    return isinstance(cause, PrefectHTTPStatusError) and cause.response.status_code in (400, 401, 403, 404, 409, 422)

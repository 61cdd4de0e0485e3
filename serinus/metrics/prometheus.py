"""What does Prometheus hold of both arms? `ports.Metrics` over prometheus-api-client.

Asks; how figures become a verdict is `serinus.analysis`, which series there are is `sources`, how a server is reached `access`.
Every figure of a reading comes from one query, so from one moment and, of each target, from one scrape.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Self, TypeVar

from prometheus_api_client import PrometheusConnect
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_exponential
from urllib3.util.retry import Retry

from serinus.analysis.reading import Arm, History, Reading
from serinus.errors import Finding, PlatformError, Refused, Unavailable
from serinus.metrics import answers, fitness, questions
from serinus.metrics.access import Access, BoundedSession, shown
from serinus.metrics.answers import Parse
from serinus.metrics.beside import Threads
from serinus.metrics.sources import Source

ATTEMPTS = 3
MARGIN_SECONDS = 0.05
"""After a scrape is due, until it is there to read: Envoy's own page takes about 10 ms."""
HISTORY_PATIENCE = 10
"""A day of figures may take so many times longer than a check's."""
MOST_SAMPLES = 100_000
"""Of one answer; a check needs 5,000 at 200 pods. More is a query that was not aggregated."""
ENOUGH_WINDOWS = 24
"""Two hours of five minutes; less says nothing of how errors clump."""
NOT_A_NUMBER = (math.nan,)

T = TypeVar("T")


class PrometheusMetrics:
    """One service's figures.

    Args:
        url: of the Prometheus
        source: the series of both arms
        edges: latency thresholds of the plan, seconds
        query_gates: gate name -> PromQL, where `$canary` and `$stable` stand for the source's matchers
        scrape_seconds: scrape interval of the source
        access: what the Prometheus demands
        timeout_seconds: of one call; a reading with its retries takes at most twice as long

    Raises:
        Refused: no server could be reached with these settings
    """

    def __init__(
        self,
        url: str,
        source: Source,
        edges: tuple[float, ...] = (),
        query_gates: Mapping[str, str] | None = None,
        scrape_seconds: float = 15.0,
        access: Access | None = None,
        timeout_seconds: float = 1.0,
    ) -> None:
        self._session = BoundedSession(url, access or Access())
        # Its own retries wait longer than its time-out and obey `Retry-After`; ours are `_ask`'s.
        none = Retry(total=0, respect_retry_after_header=False)
        self._library = PrometheusConnect(url.rstrip("/"), retry=none, session=self._session, timeout=timeout_seconds)
        self._source = source
        self._edges = tuple(sorted(set(edges)))
        self._query_gates = {name: source.expanded(query) for name, query in (query_gates or {}).items()}
        self._scrape_seconds = scrape_seconds
        self._timeout_seconds = timeout_seconds
        self._shown = shown(url)
        self._threads = Threads(self._shown, most=4 + 2 * len(self._query_gates))
        self._asked = self._edges
        self._edges_known = not (self._edges and source.buckets)
        self._newest = math.inf
        """When the newest sample of the last reading was taken; before there is one, none is newer."""
        self.warnings: tuple[str, ...] = ()
        """What Prometheus warned of at the last reading, in its words."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._session.close()

    async def read(self) -> Reading:
        """See `ports.Metrics`. A threshold metric that Prometheus does not answer is NaN: its gate's trouble, not the reading's."""
        if not self._edges_known:
            await self._learn_edges()
        gates = [asyncio.ensure_future(self._gate(query)) for query in self._query_gates.values()]
        try:
            reading, warned = await self._ask(
                questions.everything(self._source, self._asked), partial(answers.reading, source=self._source)
            )
            asked = await asyncio.gather(*gates)
        finally:
            for gate in gates:
                gate.cancel()
        self.warnings = tuple(dict.fromkeys((*warned, *(word for _, words in asked for word in words))))
        self._newest = max((counter.at for counter in reading.counters), default=self._newest)
        # Buckets that were there are gone: the source was given others.
        self._edges_known = self._edges_known and answers.edges_complete(
            reading, self._asked if self._source.buckets else ()
        )
        return replace(
            reading, queries={gate: values for gate, (values, _) in zip(self._query_gates, asked, strict=True)}
        )

    async def until_scrape(self) -> float:
        """See `ports.Metrics`. Where the arms are scraped apart, it is the canary's scrape that is waited for."""
        (now, at), _ = await self._ask(questions.freshness(self._source), answers.freshness)
        newest = max(at.values(), default=None)
        if newest is None:
            return self._scrape_seconds
        if newest > self._newest:
            return 0.0  # it came since the last reading, a moment after it was due
        canary = at.get(Arm.CANARY, -math.inf)
        newest = canary if newest - canary < self._scrape_seconds else newest
        due = newest + self._scrape_seconds + MARGIN_SECONDS
        late = now - due
        if late <= 0:
            return min(due - now, self._scrape_seconds)
        if late < self._scrape_seconds:
            # It may come any moment; a fraction of the interval later it is asked again.
            return max(MARGIN_SECONDS, self._scrape_seconds / 20)
        return self._scrape_seconds - math.fmod(late, self._scrape_seconds)

    async def history(self) -> History | None:
        """See `ports.Metrics`."""
        seconds = self._timeout_seconds * HISTORY_PATIENCE
        parse = partial(answers.history, window_seconds=questions.WINDOW_SECONDS)
        past, _ = await self._ask(questions.history(self._source), parse, seconds)
        return past if len(past.requests) >= ENOUGH_WINDOWS else None

    async def findings(self) -> tuple[Finding, ...]:
        """Why a release could not be judged by this Prometheus; empty where it could. Raises nothing that concerns the server."""
        return await fitness.findings(
            self._ask, self._source, self._edges, self._query_gates, self._scrape_seconds, self._shown
        )

    async def _learn_edges(self) -> None:
        """Which buckets must be asked for, so that each threshold has an edge or one on both sides."""
        there, _ = await self._ask(questions.edges(self._source), partial(answers.edges, source=self._source))
        if there:
            self._asked = tuple(sorted({edge for wanted in self._edges for edge in answers.around(wanted, there)}))
            self._edges_known = True

    async def _gate(self, query: str) -> tuple[tuple[float, ...], tuple[str, ...]]:
        try:
            return await self._ask(query, answers.values)
        except PlatformError as trouble:
            return NOT_A_NUMBER, (str(trouble),)

    async def _ask(self, query: str, parse: Parse[T], seconds: float | None = None) -> tuple[T, tuple[str, ...]]:
        """What an instant query answers and the warnings that came with it; again, shortly, where nothing usable came."""
        seconds = seconds or self._timeout_seconds
        again = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(seconds / 2),
            wait=wait_exponential(multiplier=self._timeout_seconds / 20, max=self._timeout_seconds / 4),
            reraise=True,
        )
        # The thread ends by its own time-outs a moment earlier, with the better sentence.
        return await again(self._threads.call, partial(self._query, query, parse, seconds), seconds * 1.1)

    def _query(self, query: str, parse: Parse[T], seconds: float) -> tuple[T, tuple[str, ...]]:
        try:
            result = self._library.custom_query(query, timeout=seconds)
            if (many := answers.samples(result)) > MOST_SAMPLES:
                raise Refused(
                    f"{self._shown} answered with {many:,} samples where {MOST_SAMPLES:,} are the most: aggregate the query"
                )
            return parse(result), self._session.warnings
        except (KeyError, TypeError, ValueError) as cause:
            why = self._session.hide(f"{type(cause).__name__} {cause}" if str(cause) else type(cause).__name__)
            raise Unavailable(f"{self._shown} does not answer as a Prometheus does: {why[:100]}") from None

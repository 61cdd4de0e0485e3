"""What does Prometheus hold of both arms? `ports.Metrics` over prometheus-api-client.

Asks; how figures become a verdict is `serinus.analysis`, which series there are is `sources`, how a server is reached `access`.
Every figure of a reading comes from one query, so from one moment and, of each target, from one scrape.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from functools import partial
from typing import Any, Self

from prometheus_api_client import PrometheusConnect
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_exponential
from urllib3.util.retry import Retry

from serinus.analysis.reading import History, Reading
from serinus.errors import Finding, PlatformError, Unavailable
from serinus.metrics import answers, fitness, questions
from serinus.metrics.access import Access, BoundedSession, shown
from serinus.metrics.beside import Threads
from serinus.metrics.sources import Source

ATTEMPTS = 3
MARGIN_SECONDS = 0.05
"""After a scrape is due, until it is there to read: Envoy's own page takes about 10 ms."""
HISTORY_PATIENCE = 10
"""A day of figures may take so many times longer than a check's."""
ENOUGH_WINDOWS = 24
"""Two hours of five minutes; less says nothing of how errors clump."""
NOT_A_NUMBER = (math.nan,)


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
        self._threads = Threads(shown(url), most=4 + 2 * len(self._query_gates))
        self._asked = self._edges
        self._edges_known = not (self._edges and source.buckets)
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
        gates = asyncio.gather(*map(self._gate, self._query_gates.values()))
        try:
            vector, warned = await self._ask(questions.everything(self._source, self._asked))
            asked = await gates
        finally:
            gates.cancel()
        self.warnings = tuple(dict.fromkeys((*warned, *(word for _, words in asked for word in words))))
        queries = {name: values for name, (values, _) in zip(self._query_gates, asked, strict=True)}
        reading = answers.reading(vector, self._source, queries)
        # Buckets that were there are gone: the source was given others.
        self._edges_known = self._edges_known and answers.edges_complete(
            reading, self._asked if self._source.buckets else ()
        )
        return reading

    async def until_scrape(self) -> float:
        """See `ports.Metrics`."""
        vector, _ = await self._ask(questions.freshness(self._source))
        now, newest = answers.freshness(vector)
        if newest is None:
            return self._scrape_seconds
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
        matrix, _ = await self._ask(questions.history(self._source), seconds)
        past = answers.history(matrix, questions.WINDOW_SECONDS)
        return past if len(past.requests) >= ENOUGH_WINDOWS else None

    async def findings(self) -> tuple[Finding, ...]:
        """Why a release could not be judged by this Prometheus; empty where it could. Raises nothing that concerns the server."""
        return await fitness.findings(
            self._ask, self._source, self._edges, self._query_gates, self._scrape_seconds, shown(self._library.url)
        )

    async def _learn_edges(self) -> None:
        """Which buckets must be asked for, so that each threshold has an edge or one on both sides."""
        vector, _ = await self._ask(questions.edges(self._source))
        there = answers.edges(vector, self._source)
        if there:
            self._asked = tuple(sorted({edge for wanted in self._edges for edge in answers.around(wanted, there)}))
            self._edges_known = True

    async def _gate(self, query: str) -> tuple[tuple[float, ...], tuple[str, ...]]:
        try:
            result, warnings = await self._ask(query)
            return answers.values(result), warnings
        except PlatformError as trouble:
            return NOT_A_NUMBER, (str(trouble),)

    async def _ask(self, query: str, seconds: float | None = None) -> tuple[list[Any], tuple[str, ...]]:
        """The result of an instant query and the warnings that came with it; again, shortly, where nothing came."""
        seconds = seconds or self._timeout_seconds
        again = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(seconds / 2),
            wait=wait_exponential(multiplier=seconds / 20, max=seconds / 4),
            reraise=True,
        )
        # The thread ends by its own time-outs a moment earlier, with the better sentence.
        return await again(self._threads.call, partial(self._query, query, seconds), seconds * 1.1)

    def _query(self, query: str, seconds: float) -> tuple[list[Any], tuple[str, ...]]:
        try:
            result = self._library.custom_query(query, timeout=seconds)
        except KeyError:
            result = None
        if not isinstance(result, list):
            raise Unavailable(
                f"{shown(self._library.url)} does not answer as a Prometheus does: its answer has no result"
            )
        return result, self._session.warnings

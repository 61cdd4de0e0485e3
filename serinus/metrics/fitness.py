"""Could a release be judged by this Prometheus? Findings for preflight and doctor.

Reads only, decides nothing: a finding that is not fatal is for people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Protocol, TypeVar

from serinus.analysis.reading import REQUESTS, Arm
from serinus.errors import Finding, PlatformError, Refused
from serinus.metrics import answers, questions
from serinus.metrics.sources import Source

T = TypeVar("T")


class Ask(Protocol):
    """An instant query's answer, parsed, and the warnings that came with it."""

    async def __call__(self, query: str, parse: answers.Parse[T], /) -> tuple[T, tuple[str, ...]]: ...


SCRAPES_SEEN_SECONDS = 60.0
TOLERANCE = 1.5
"""Scrapes that come so many times later than said make every window too short."""


async def findings(
    ask: Ask, source: Source, edges: tuple[float, ...], queries: Mapping[str, str], scrape_seconds: float, where: str
) -> tuple[Finding, ...]:
    """All that is unfit, the fatal first. An unreachable Prometheus is the only finding then.

    Args:
        ask: how Prometheus is asked
        edges: latency thresholds, seconds
        queries: gate name -> PromQL, expanded
        scrape_seconds: what the policy says
        where: address, for people
    """
    try:
        found = [
            *await _targets(ask, source, where),
            *await _series(ask, source, where),
            *await _traffic(ask, source, scrape_seconds, where),
            *await _scrapes(ask, source, scrape_seconds, where),
            *await _edges(ask, source, edges, where),
        ]
        for gate, query in queries.items():
            found.extend(await _gate(ask, gate, query))
    except PlatformError as trouble:
        mend = (
            "start it, or correct `telemetry.prometheus`"
            if not isinstance(trouble, Refused)
            else "correct `telemetry.prometheus`"
        )
        return (Finding(str(trouble), where, mend),)
    return tuple(sorted(found, key=lambda finding: not finding.fatal))


async def _targets(ask: Ask, source: Source, where: str) -> list[Finding]:
    there, _ = await ask(source.up, answers.vector)
    up = {labels.get(source.target, ""): value for labels, value in there}
    if not up:
        return [Finding(f"it has no target of {source.up}", where, f"let it scrape the source `{source.name}`")]
    down = sorted(target for target, value in up.items() if value != 1)
    every = len(down) == len(up)
    return (
        [Finding(f"it cannot scrape {', '.join(down)}", where, "look at its page /targets", fatal=every)]
        if down
        else []
    )


async def _series(ask: Ask, source: Source, where: str) -> list[Finding]:
    requests = source.requests(Arm.STABLE)
    there, warnings = await ask(f"count({requests})", answers.values)
    both, _ = await ask(questions.shared(source), answers.values)
    found = [Finding(f"it warns: {warning}", where, "see its own documentation", fatal=False) for warning in warnings]
    if not there:
        found.append(
            Finding(
                f"stable has no series {requests}", where, f"is `{source.name}` the source that counts its requests?"
            )
        )
    if both:
        mend = "the two sets of labels must exclude each other"
        found.append(
            Finding(f"{both[0]:g} series of {source.counters[REQUESTS].name} belong to both arms", where, mend)
        )
    return found


async def _traffic(ask: Ask, source: Source, said_seconds: float, where: str) -> list[Finding]:
    """A note where stable has answered nothing lately: no canary could be judged."""
    seconds = _seen_seconds(said_seconds)
    counted, _ = await ask(questions.served(source, seconds), answers.values)
    if not counted or counted[0] != 0:
        return []
    mend = "a release waits for requests, and is taken back after `limits.no_traffic` without any"
    return [Finding(f"stable has answered 0 requests in the last {seconds:.0f} s", where, mend, fatal=False)]


def _seen_seconds(said_seconds: float) -> float:
    """How far back is looked."""
    return max(SCRAPES_SEEN_SECONDS, 5 * said_seconds)


async def _scrapes(ask: Ask, source: Source, said_seconds: float, where: str) -> list[Finding]:
    seen_seconds = _seen_seconds(said_seconds)
    scrapes, _ = await ask(questions.scrapes(source, seen_seconds), answers.scrape_times)
    gaps = [b - a for times in scrapes for a, b in pairwise(times)]
    if not gaps:
        unknown = "its targets were scraped less than twice in the last minutes, so the interval is not known"
        return [Finding(unknown, where, "look again in a moment", fatal=False)]
    every = median(gaps)
    if every > said_seconds * TOLERANCE:
        return [
            Finding(
                f"the source is scraped every {round(every, 1):g} s, not every {said_seconds:g} s",
                where,
                "say so in the policy",
            )
        ]
    if every < said_seconds / TOLERANCE:
        faster = f"the source is scraped every {round(every, 1):g} s, the policy says {said_seconds:g} s"
        return [Finding(faster, where, "checks could be made more often", fatal=False)]
    return []


async def _edges(ask: Ask, source: Source, wanted: tuple[float, ...], where: str) -> list[Finding]:
    if not wanted:
        return []
    if not source.buckets:
        return [Finding(f"the source `{source.name}` has no latency histogram", where, "leave the latency gates out")]
    there, _ = await ask(questions.edges(source), partial(answers.edges, source=source))
    name = f"{source.buckets}_bucket"
    if not there:
        return [
            Finding(
                f"{name} has no series yet, so its edges are not known", where, "it comes with traffic", fatal=False
            )
        ]
    return [finding for edge in wanted if (finding := _edge(edge, there, name, where))]


def _edge(wanted: float, there: tuple[float, ...], name: str, where: str) -> Finding | None:
    near = answers.around(wanted, there)
    if len(near) == 1 and math.isclose(near[0], wanted, rel_tol=1e-9):
        return None
    mend = f"let the histogram have an edge at {wanted:g} s"
    if wanted > there[-1]:
        return Finding(f"{name} ends at {there[-1]:g} s, so {wanted:g} s cannot be judged", where, mend)
    passes = (
        f"a pass is judged at {near[0]:g} s and a failure at {near[-1]:g} s"
        if len(near) == 2
        else "nothing can pass by it"
    )
    return Finding(f"{name} has no edge at {wanted:g} s: {passes}", where, mend, fatal=False)


async def _gate(ask: Ask, gate: str, query: str) -> list[Finding]:
    where = f"gate {gate!r}"
    try:
        values, _ = await ask(query, answers.values)
    except Refused as refusal:
        return [Finding(str(refusal), where, f"correct its query: {query}")]
    if len(values) > 1:
        return [Finding(f"its query answers {len(values)} series where one is meant", where, f"aggregate it: {query}")]
    if not values or math.isnan(values[0]):
        nothing = "its query answers nothing" if not values else "its query answers NaN"
        return [Finding(f"{nothing} at the moment", where, f"it must with traffic: {query}", fatal=False)]
    return []

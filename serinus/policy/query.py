"""Can a custom query be what its writer meant? Its limits, its `$` names, its ranges against the scrape interval.

Does not ask Prometheus: whether the expression is PromQL and gives one number is a preflight's question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from serinus.errors import Problem
from serinus.policy.gate import QueryGate
from serinus.policy.unit import UnitError, number, seconds, show_seconds

LIMITS = ("max", "min", "abort_above", "abort_below")
CANARY, STABLE = ARMS = ("$canary", "$stable")
_NAME = re.compile(r"\$[A-Za-z_]\w*")
_RANGE = re.compile(r"\[\s*((?:\d+(?:ms|[smh]))+)\s*[\]:]")


def limits(gate: QueryGate) -> dict[str, float]:
    """The gate's limits in the query's own unit; those that are left out or unsound are not in it."""
    found = {}
    for key in LIMITS:
        try:
            if getattr(gate, key) is not None:
                found[key] = number(getattr(gate, key), gate.unit)
        except UnitError:
            continue
    return found


def problems(where: str, gate: QueryGate, scrape: float) -> Iterator[Problem]:
    """What cannot be meant.

    Args:
        where: dotted path of the gate
        scrape: the source's scrape interval, seconds
    """
    if all(getattr(gate, key) is None for key in LIMITS):
        yield Problem(where, "holds no limit", "add max, min, abort_above or abort_below")
    for key in LIMITS:
        try:
            if getattr(gate, key) is not None:
                number(getattr(gate, key), gate.unit)
        except UnitError as error:
            yield Problem(f"{where}.{key}", error.found, error.right)
    yield from _contradictions(where, limits(gate))
    for name in dict.fromkeys(_NAME.findall(gate.query)):
        if name not in ARMS:
            yield Problem(f"{where}.query", f"`{name}` is not known", "write $canary or $stable as a label selector")
    for text in _RANGE.findall(gate.query):
        if seconds(text) < 2 * scrape:
            right = f"write at least {show_seconds(4 * scrape)}: a rate() over fewer than two scrapes is always empty"
            yield Problem(f"{where}.query", f"[{text}] is under two scrapes of {show_seconds(scrape)}", right)


def warnings(where: str, gate: QueryGate, scrape: float) -> Iterator[Problem]:
    """What is allowed and probably not meant."""
    if not any(arm in gate.query for arm in ARMS):
        found = "has neither $canary nor $stable, so it reads the whole service: a dead canary at 5 % still reads 95.0 % there"
        yield Problem(f"{where}.query", found, "add {$canary} to its selectors")
    for text in _RANGE.findall(gate.query):
        if 2 * scrape <= seconds(text) < 4 * scrape:
            found = f"[{text}] is under four scrapes of {show_seconds(scrape)}: a rate() over it is empty now and then"
            yield Problem(f"{where}.query", found, f"write at least {show_seconds(4 * scrape)}")


def doubled(where: str, gates: Sequence[QueryGate], taken: Sequence[str]) -> Iterator[Problem]:
    """Names that stand for two gates."""
    seen = list(taken)
    for index, gate in enumerate(gates):
        if gate.name in seen:
            found = f"`{gate.name}` is the name of another gate"
            yield Problem(f"{where}[{index}].name", found, "give every gate a name of its own")
        seen.append(gate.name)


def _contradictions(where: str, given: dict[str, float]) -> Iterator[Problem]:
    if "max" in given and "min" in given and given["min"] > given["max"]:
        yield Problem(f"{where}.min", "lies above max, so nothing can pass", "write a min below max")
    if "max" in given and given.get("abort_above", float("inf")) <= given["max"]:
        yield Problem(f"{where}.abort_above", "does not lie above max", "write a higher one, or leave it out")
    if "min" in given and given.get("abort_below", float("-inf")) >= given["min"]:
        yield Problem(f"{where}.abort_below", "does not lie below min", "write a lower one, or leave it out")

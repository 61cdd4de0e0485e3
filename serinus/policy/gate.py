"""The gates of a policy as they are written, and which of them a phase asks.

What they come to as numbers is `settle`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from serinus.policy import unit
from serinus.policy.value import Duration, Latency, Part, Percent, wrong

LATENCY = re.compile(r"latency_p([1-9]\d?(?:\.\d{1,3})?)", re.ASCII)
"""Latency gates bear their quantile in their name: `latency_p99`, `latency_p99.9`."""


class ShareGate(Part):
    """At most so much of the requests."""

    max: Percent | None = None
    """Beyond it a window has failed; 0% means: none that stable does not have too."""
    abort_above: Percent | None = None
    """Beyond it the release is taken back at once."""
    warm_up: Duration | None = None
    """How long after a weight change this gate is not asked; default 0s."""


class SuccessGate(Part):
    """At least so much of the requests."""

    min: Percent | None = None
    """Below it a window has failed."""
    abort_below: Percent | None = None
    """Below it the release is taken back at once."""
    warm_up: Duration | None = None
    """How long after a weight change this gate is not asked; default 0s."""


class LatencyGate(Part):
    """The quantile in the gate's name takes at most so long."""

    max: Latency | None = None
    """Beyond it a window has failed."""
    abort_above: Latency | None = None
    """Beyond it the release is taken back at once."""
    warm_up: Duration | None = None
    """How long after a weight change this gate is not asked; default `checks.warm_up`."""


RateLimits = ShareGate | SuccessGate | LatencyGate
Written = Annotated[str | float | int, WithJsonSchema({"type": ["string", "number"], "examples": [100, "500ms", "5%"]})]
"""A limit on a query's number: bare where `unit` is no unit of ours, else with it."""


def _not_truth(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        raise wrong(f"{unit.shown(value)} is not a number", "write a number, or one with the query's unit")
    return value


Limit = Annotated[Written | None, BeforeValidator(_not_truth)]


class QueryGate(Part):
    """A PromQL query of your own that gives one number at each check."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Its name everywhere: in verdicts, evidence and reports."""
    query: Annotated[str, Field(min_length=1, max_length=4000)]
    """PromQL; `$canary` and `$stable` stand for the label selectors of each."""
    max: Limit = None
    """Above it a window has failed."""
    min: Limit = None
    """Below it a window has failed."""
    abort_above: Limit = None
    """Above it the release is taken back at once."""
    abort_below: Limit = None
    """Below it the release is taken back at once."""
    unit: Annotated[str, Field(max_length=32)] = ""
    """The number's unit: `s`, `ms`, `%`, `ratio`, or any word for people; limits of the first four are written with a unit."""


def _gate(value: Any) -> Any:
    """`off` takes a gate away; nothing at all is a slip."""
    if value is None:
        raise wrong("nothing stands here", "write its limits, or `off`")
    if value is False:
        raise wrong("`false` is a truth value", "write `off` in quotes to take a gate away")
    return None if value == "off" else value


OFF = BeforeValidator(_gate)


class Gates(Part):
    """What is asked at each check. `off` takes a gate away that a preset or the policy's own gates bring."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    __pydantic_extra__: dict[str, Annotated[LatencyGate | None, OFF]]

    success_rate: Annotated[SuccessGate | None, OFF] = None
    """Requests not answered with 5xx."""
    error_rate: Annotated[ShareGate | None, OFF] = None
    """Requests answered with 5xx, and those without an answer: refused, reset, timed out."""
    server_errors: Annotated[ShareGate | None, OFF] = None
    """Requests answered with 5xx."""
    custom: tuple[QueryGate, ...] = ()
    """PromQL queries of your own."""

    def named(self) -> dict[str, RateLimits | None]:
        """Every rate gate that was written, in this order; None where it is `off`."""
        order = ("success_rate", "error_rate", "server_errors", *(self.model_extra or {}))
        return {name: getattr(self, name) for name in order if name in self.model_fields_set}


@dataclass(frozen=True, slots=True)
class Asked:
    """The gates of one phase, after all that stands above each other.

    Args:
        rates: limits of each rate gate, by name
        queries: the custom queries
    """

    rates: Mapping[str, RateLimits]
    queries: tuple[QueryGate, ...]


def asked(above: Gates, own: Gates) -> Asked:
    """The gates above, with what `own` names in place of theirs, key by key; custom queries by name."""
    rates = {name: limits for name, limits in above.named().items() if limits is not None}
    for name, limits in own.named().items():
        if limits is None:
            rates.pop(name, None)
        elif name in rates:
            rates[name] = rates[name].model_copy(update={key: getattr(limits, key) for key in limits.model_fields_set})
        else:
            rates[name] = limits
    queries = {query.name: query for query in (*above.custom, *own.custom)}
    return Asked(rates, tuple(queries.values()))

"""What a policy may say: its keys, their units and their defaults.

Holds only what is built. Whether the values fit together is `consistency`; what they come to for one release is `settle`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from serinus.analysis.threshold import Guards
from serinus.errors import Problem
from serinus.policy import unit
from serinus.release.plan import Inconclusive, OnDrift, Orphan

SERVICE = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
LATENCY = re.compile(r"latency_p([1-9]\d?(?:\.\d{1,3})?)")
"""Latency gates bear their quantile in their name: `latency_p99`, `latency_p99.9`."""


def wrong(found: str, right: str) -> PydanticCustomError:
    """An error of pydantic's that carries the two halves of a `Problem`."""
    return PydanticCustomError("policy", "{found}; {right}", {"found": found, "right": right})


def _reader(read: Callable[[Any], float], least: float, most: float, right: str) -> BeforeValidator:
    def number(value: Any) -> float:
        try:
            result = read(value)
        except unit.UnitError as error:
            raise wrong(error.found, error.right) from None
        if not least <= result <= most:
            raise wrong(f"{unit.shown(value)} is out of range", right)
        return result

    return BeforeValidator(number)


def _text(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


_DURATION = _text(unit.DURATION_PATTERN, "15s", "5m", "1h")
_PERCENT = _text(unit.PERCENT_PATTERN, "5%", "0.1%")
Duration = Annotated[float, _reader(unit.seconds, 0, 1e12, ""), _DURATION]
"""Seconds, 0 allowed."""
Span = Annotated[float, _reader(unit.seconds, 0.001, 1e12, "write a duration above zero, such as 15s"), _DURATION]
"""Seconds, above 0."""
Percent = Annotated[float, _reader(unit.percent, 0, 100, "write 0% to 100%"), _PERCENT]
"""Percent, 0 to 100."""
Portion = Annotated[float, _reader(unit.percent, 0, 1000, "write 0% to 1000%"), _PERCENT]
"""Percent of something, may exceed 100."""
Count = Annotated[int, Field(strict=True, ge=1)]


def _kind(word: str) -> BeforeValidator:
    """`local` is short for `{local: {}}`."""
    return BeforeValidator(lambda value: {word: {}} if value == word else value, json_schema_input_type=Any)


def _choice(value: Any) -> Any:
    """A word that an older YAML reader took for a truth value is named as that."""
    if isinstance(value, bool):
        raise wrong(f"`{str(value).lower()}` is a truth value", "write the word in quotes, such as 'off' or 'on'")
    return value


def _service(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(SERVICE, value):
        right = "write small letters, digits and dashes, at most 63, such as api-gateway"
        raise wrong(f"{unit.shown(value)} is no service name", right)
    return value


Service = Annotated[str, BeforeValidator(_service), _text(f"^{SERVICE}$", "api-gateway")]
"""A DNS label."""


class Part(BaseModel):
    """A mapping of the policy: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Local(Part):
    """Processes of the local platform (`serinus local up`); it has no keys yet."""


class Workload(Part):
    """What runs the service."""

    local: Local
    """The local platform's own processes."""
    min_replicas: Annotated[Count, Field(le=1000)] = 1
    """Least canary instances while it has traffic."""


class Envoy(Part):
    """The local platform's Envoy; it has no keys yet."""


class Router(Part):
    """What splits the traffic."""

    envoy: Envoy
    """The local platform's Envoy."""


class Basic(Part):
    """HTTP basic authentication."""

    user: str
    """User name, plain or `${NAME}`."""
    password: str
    """Password, as `${NAME}`."""


class Prometheus(Part):
    """A Prometheus of your own."""

    url: str
    """Address, `http://` or `https://`."""
    token: str | None = None
    """Bearer token, as `${NAME}`."""
    basic: Basic | None = None
    """HTTP basic authentication, instead of a token."""
    ca: str | None = None
    """Path of a PEM file with the certificate authority to trust."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Further HTTP headers, such as `X-Scope-OrgID`."""
    proxy: str | None = None
    """HTTP proxy to go through; without it none is used."""


class Telemetry(Part):
    """Where the figures come from."""

    prometheus: Prometheus | None = None
    """Left out: the local platform's own."""
    source: Annotated[Literal["envoy"], BeforeValidator(_choice)] = "envoy"
    """Whose counters are read."""


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

    max: Span | None = None
    """Beyond it a window has failed."""
    abort_above: Span | None = None
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


class Phase(Part):
    """A weight, held and watched."""

    weight: Percent
    """The canary's part of the traffic; rises from phase to phase, to 100% in the last."""
    soak: Duration
    """How long every check must have passed before the next phase; 0s is one check."""
    gates: Gates = Gates()
    """Limits of this phase alone; what is not named here is as in the policy's own gates."""


def _burst(value: Any) -> float | None:
    if value == "auto" or value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 1000:
        raise wrong(
            f"{unit.shown(value)} is no burst factor", "write `auto`, or a number from 1 (independent errors) up"
        )
    return float(value)


class Checks(Part):
    """How often and how carefully it is judged."""

    interval: Span = 15.0
    """Time between two checks; never shorter than a scrape."""
    window: Span = 60.0
    """The rolling window of every limit; at least two scrapes."""
    scrape: Span | None = None
    """Prometheus' scrape interval of the source; default 15s, and 1s for the local platform's own Prometheus."""
    failures: Annotated[Count, Field(le=1000)] = 3
    """So many failed windows in a row end the release."""
    min_requests: Annotated[Count, Field(le=10**9)] = 50
    """Canary requests without which no phase ends."""
    guards: Annotated[Guards, BeforeValidator(_choice)] = Guards.STRICT
    """`strict` guards the limits against chance and shared incidents; `off` applies them as plain numbers."""
    burst: Annotated[
        float | None,
        BeforeValidator(_burst),
        WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "number", "minimum": 1}], "default": "auto"}),
    ] = None
    """How much errors come in clumps (variance over mean): `auto` measures stable's last day; 1 is for independent errors."""
    warm_up: Duration = 60.0
    """How long after a weight change latency gates are not asked."""


class Limits(Part):
    """What ends a release whatever its gates say."""

    bad_requests: Annotated[Count, Field(le=10**12)] | None = None
    """Canary errors above what stable's rate explains; left out: no budget."""
    duration: Span | None = None
    """Longest a release may take, pauses included; default 3h, or twice the phases where that is longer."""
    extension: Portion = 100.0
    """How much longer than its soak a phase may take for want of requests."""
    rollback: Span = 30.0
    """From verdict to weight 0 read back; past it a person is called."""
    no_traffic: Span = 600.0
    """How long a canary may go without requests."""
    metrics_down: Span = 300.0
    """How long the metrics may be missing."""


class On(Part):
    """What to do where a person might choose either."""

    orphan: Annotated[Orphan, BeforeValidator(_choice)] = Orphan.ROLLBACK
    """The engine died in a phase: return to stable, or resume."""
    drift: Annotated[OnDrift, BeforeValidator(_choice)] = OnDrift.ROLLBACK
    """Somebody else raised the weight: return to stable, or put it back."""
    inconclusive: Annotated[Inconclusive, BeforeValidator(_choice)] = Inconclusive.ADVANCE
    """The soak is over and a limit is kept but not certified."""


class Rehearsal(Part):
    """The same release in less time."""

    speed: Annotated[float, Field(ge=1, le=1000, strict=True)]
    """Divides soak, bake, interval, window, warm-up and deadlines."""


class Content(Part):
    """A release policy of Serinus: how one service's new versions are released."""

    service: Service
    """The service's name: small letters, digits and dashes."""
    workload: Annotated[Workload, _kind("local")]
    """What runs the service."""
    router: Annotated[Router, _kind("envoy")]
    """What splits the traffic."""
    telemetry: Telemetry = Telemetry()
    """Where the figures come from."""
    preset: Annotated[Literal["plan"], BeforeValidator(_choice)] | None = None
    """Phases, gates and checks to start from; keys beside it override its own."""
    phases: Annotated[tuple[Phase, ...], Field(max_length=50)] = ()
    """The weights in their order."""
    bake: Duration = 600.0
    """How long it is watched once more after stable runs the new version."""
    gates: Gates = Gates()
    """What every phase and the bake ask."""
    checks: Checks = Checks()
    """How often and how carefully it is judged."""
    limits: Limits = Limits()
    """What ends a release whatever its gates say."""
    on: On = On()
    """What to do where a person might choose either."""
    notify: Annotated[tuple[str, ...], Field(max_length=20)] = ("log",)
    """Who is told: `log`, or the address of a webhook."""
    rehearsal: Rehearsal | None = None
    """The same release in less time."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was read and found sound.

    Args:
        source: the file's path, or what sent it
        content: every key, defaults and preset included
        given: what was written, as plain data: sent whole to a server it gives the same policy again
        warnings: what is allowed and probably not meant
    """

    source: str
    content: Content
    given: Mapping[str, Any]
    warnings: tuple[Problem, ...] = ()

    @property
    def service(self) -> str:
        return self.content.service

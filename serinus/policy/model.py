"""What a policy may say: its sections, their units and their defaults.

Holds only what is built. Whether the values fit together is `consistency`; what they come to for one release is `settle`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from serinus.analysis.threshold import Guards
from serinus.errors import Problem
from serinus.policy import unit
from serinus.policy.gate import Gates
from serinus.policy.telemetry import Telemetry
from serinus.policy.value import (
    WORD,
    Count,
    Duration,
    ObjectName,
    Part,
    Percent,
    Portion,
    Repository,
    Service,
    Span,
    wrong,
)
from serinus.release.plan import Inconclusive


def _long(*words: str) -> Callable[[Any], Any]:
    """`local` is short for `{local: {}}`."""
    return lambda value: {value: {}} if isinstance(value, str) and value in words else value


class Local(Part):
    """Processes of the local platform (`serinus local up`); it has no keys yet."""


class Kubernetes(Part):
    """A Deployment on Kubernetes; the canary is a second one beside it."""

    namespace: ObjectName
    """The namespace of the Deployment and of all that belongs to it."""
    deployment: ObjectName | None = None
    """The Deployment that serves; left out: it is called as the service."""
    service: ObjectName | None = None
    """The Service in front of its pods; left out: it is called as the Deployment."""
    container: ObjectName | None = None
    """The container that runs the service; left out: its pods have only one."""
    autoscaler: ObjectName | None = None
    """Its HorizontalPodAutoscaler, where it has one; left out: it would be called as the Deployment."""
    context: str | None = None
    """Context of the kubeconfig; left out: the cluster that we run in, else the kubeconfig's current one."""


class Workload(Part):
    """What runs the service."""

    local: Local | None = None
    """The local platform's own processes."""
    kubernetes: Kubernetes | None = None
    """A Deployment on Kubernetes."""
    image: Repository | None = None
    """Repository of the images; left out: that of the image which runs now. A version is a tag or digest in it."""
    min_replicas: Annotated[Count, Field(le=1000)] = 1
    """Least canary instances while it has traffic."""


class Envoy(Part):
    """The local platform's Envoy; it has no keys yet."""


class Contour(Part):
    """Contour: the weights of an HTTPProxy's Services."""

    proxy: ObjectName | None = None
    """The HTTPProxy with the route to the Service; left out: it is called as the service."""


class GatewayApi(Part):
    """Any implementation of the Gateway API: the weights of an HTTPRoute's backends."""

    route: ObjectName | None = None
    """The HTTPRoute with the backend; left out: it is called as the service."""


class Replicas(Part):
    """No proxy: the Service selects the pods of both, and the canary's share is its count of them; it has no keys."""


class Router(Part):
    """What splits the traffic."""

    envoy: Envoy | None = None
    """The local platform's Envoy."""
    contour: Contour | None = None
    """Contour's HTTPProxy."""
    gateway_api: Annotated[GatewayApi | None, Field(alias="gateway-api")] = None
    """The Gateway API's HTTPRoute."""
    replicas: Replicas | None = None
    """The ratio of the canary's pods to stable's, behind one Service; at most 50%."""


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
    """Canary requests that a phase waits for, beyond its soak for `limits.extension`; without them it goes on by `on.inconclusive`."""
    guards: Annotated[Guards, WORD] = Guards.STRICT
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

    inconclusive: Annotated[Inconclusive, WORD] = Inconclusive.ADVANCE
    """Soak and extension are over and `min_requests` have not come: advance, hold for a person, or abort."""


class Rehearsal(Part):
    """The same release in less time."""

    speed: Annotated[float, Field(ge=1, le=1000, strict=True)]
    """Divides soak, bake, interval, window, warm-up and deadlines."""


class Content(Part):
    """A release policy of Serinus: how one service's new versions are released."""

    service: Service
    """The service's name: small letters, digits and dashes."""
    workload: Annotated[
        Workload, BeforeValidator(_long("local", "kubernetes"), json_schema_input_type=Literal["local"] | Workload)
    ]
    """What runs the service."""
    router: Annotated[
        Router,
        BeforeValidator(
            _long("envoy", "contour", "gateway-api", "replicas"),
            json_schema_input_type=Literal["envoy", "contour", "gateway-api", "replicas"] | Router,
        ),
    ]
    """What splits the traffic."""
    telemetry: Telemetry = Telemetry()
    """Where the figures come from."""
    preset: Annotated[Literal["plan"], WORD] | None = None
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

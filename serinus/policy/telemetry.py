"""What a policy may say of where the figures come from: the server, and whose counters are read there.

Whether they tell the two sides of its router apart is `platform`'s question.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from serinus.policy.value import WORD, Label, Matchers, Metric, Part


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


class App(Part):
    """Counters that the application's own pods expose; what is left out has the usual name."""

    requests: Metric = "http_requests_total"
    """Counter of the requests that were answered."""
    status: Label = "status"
    """Its label with the HTTP status."""
    latency: Metric = "http_request_duration_seconds"
    """Histogram of their durations, without `_bucket`."""
    unit: Annotated[Literal["s", "ms"] | None, WORD] = None
    """Of the histogram; left out: as its name says, `_seconds` or `_milliseconds`."""
    pod: Label = "pod"
    """Label with the pod's name, as the scrape puts it on, beside `namespace`."""
    match: Matchers | None = None
    """Which of the requests count, where probes are counted too: `path!="/healthz"`."""


class Telemetry(Part):
    """Where the figures come from."""

    prometheus: Prometheus | None = None
    """Left out: the local platform's own."""
    source: Annotated[Literal["envoy", "contour", "app"] | None, WORD] = None
    """Whose counters are read; left out: those of the router's own proxies, else the application's own."""
    job: str | None = None
    """Prometheus' job that scrapes them; left out: envoy for Contour's Envoys, any for the application."""
    app: App | None = None
    """What the application's own counters are called, with `source: app`."""

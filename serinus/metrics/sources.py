"""How is each figure asked of a known source of series, by arm and by target?

A source is a value: names, labels and units, nothing that runs. How the asking goes over the wire is `prometheus`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from serinus.analysis.reading import REQUESTS, TIMED, Arm
from serinus.analysis.threshold import SERVER_ERRORS

EVERY_ARM = (Arm.CANARY, Arm.STABLE)
ARM_WORD = re.compile(r"\$(canary|stable)\b")


@dataclass(frozen=True, slots=True)
class Series:
    """One counter of a source.

    Args:
        name: of the metric
        matchers: PromQL label matchers beside the arm's, such as `code=~"5.."`; empty for all of it
    """

    name: str
    matchers: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where both arms' counters are.

    Args:
        name: as a policy says it
        target: label that tells the counting processes apart; a reset belongs to one value of it
        up: PromQL selector of the targets' own `up` series; it must carry the label `target` too
        arms: PromQL label matchers of each arm, without braces; what `$canary` and `$stable` stand for
        counters: figure -> series that counts it; `requests` is a must
        buckets: cumulative histogram of latency, without its `_bucket`; empty where there is none
        bucket_matchers: PromQL label matchers beside the arm's; empty for all of it
        bucket_unit_seconds: what `le="1"` means, seconds
    """

    name: str
    target: str
    up: str
    arms: Mapping[Arm, str]
    counters: Mapping[str, Series]
    buckets: str = ""
    bucket_matchers: str = ""
    bucket_unit_seconds: float = 1.0

    def expanded(self, query: str) -> str:
        """A query of the user's with `$canary` and `$stable` filled in; anything else in it stays as it is."""
        return ARM_WORD.sub(lambda word: self.arms[Arm(word[1])], query)

    def selector(self, series: Series, arm: Arm) -> str:
        """The raw series of one arm."""
        return f"{series.name}{{{','.join(filter(None, (self.arms[arm], series.matchers)))}}}"

    def requests(self, arm: Arm) -> str:
        """The series that must be there for an arm that exists."""
        return self.selector(self.counters[REQUESTS], arm)

    def figure(self, figure: str, arm: Arm) -> str:
        """One figure of one arm, by target and no further."""
        return f"sum by ({self.target}) ({self.selector(self.counters[figure], arm)})"

    def within(self, edges_seconds: Iterable[float], arm: Arm) -> str:
        """The buckets up to each of the edges, by target and `le`; without an edge every bucket."""
        wanted = "|".join(self._le(edge) for edge in edges_seconds)
        edges = f'le=~"{wanted}"' if wanted else 'le!="+Inf"'
        series = Series(f"{self.buckets}_bucket", ",".join(filter(None, (self.bucket_matchers, edges))))
        return f"sum by ({self.target},le) ({self.selector(series, arm)})"

    def edge(self, le: str) -> float:
        """The edge that a label `le` names, seconds."""
        return float(f"{float(le) * self.bucket_unit_seconds:.12g}")

    def _le(self, edge_seconds: float) -> str:
        # One edge is written 500 by Envoy and 500.0 by newer versions of Prometheus.
        plain = f"{edge_seconds / self.bucket_unit_seconds:.12g}".replace(".", r"\\.")
        return plain if "." in plain else rf"{plain}(\\.0)?"


def envoy(service: str) -> Source:
    """Envoy of the local platform: one process that counts for both arms."""
    clusters = {arm: f"={json.dumps(f'{service}-{arm}')}" for arm in EVERY_ARM}
    return _of_envoy("envoy", "envoy", clusters)


def contour(namespace: str, stable: str, canary: str, job: str = "envoy") -> Source:
    """Contour's Envoys: a cluster for each port of a Service, `<namespace>_<service>_<port>`; several that count are added up.

    Args:
        stable, canary: names of the Services
        job: of the scraped Envoys
    """
    services = {Arm.CANARY: canary, Arm.STABLE: stable}
    clusters = {arm: f"=~{json.dumps(f'{namespace}_{service}_[0-9]+')}" for arm, service in services.items()}
    return _of_envoy("contour", job, clusters)


def _of_envoy(name: str, job: str, clusters: Mapping[Arm, str]) -> Source:
    """Envoy's counters: a cluster each arm, `le` in milliseconds.

    Envoy answers for a canary that does not (503, 504), so requests without an answer are among the server errors; it
    completes them too, which its `_total` misses.

    Args:
        clusters: matcher of each arm's cluster names, with its operator
    """
    counted, scraped = "envoy_cluster_upstream_rq", f"job={json.dumps(job)}"
    return Source(
        name=name,
        target="instance",
        up=f"up{{{scraped}}}",
        arms={arm: f"{scraped},envoy_cluster_name{cluster}" for arm, cluster in clusters.items()},
        counters={
            REQUESTS: Series(f"{counted}_completed"),
            SERVER_ERRORS: Series(f"{counted}_xx", 'envoy_response_code_class="5"'),
            TIMED: Series(f"{counted}_time_count"),
        },
        buckets=f"{counted}_time",
        bucket_unit_seconds=0.001,
    )


@dataclass(frozen=True, slots=True)
class Named:
    """What an application calls its own counters.

    Args:
        requests: counter of answered requests
        status: its label with the HTTP status
        latency: histogram of their durations, without `_bucket`
        unit_seconds: what `le="1"` means, seconds
        pod: label with the pod's name
        match: label matchers of the requests that count; empty for all
    """

    requests: str = "http_requests_total"
    status: str = "status"
    latency: str = "http_request_duration_seconds"
    unit_seconds: float = 1.0
    pod: str = "pod"
    match: str = ""


def app(namespace: str, stable: str, canary: str, named: Named, job: str = "") -> Source:
    """The application's own counters: each pod counts for itself, and its name tells its arm.

    What no pod answered is not among them: that a pod is down shows in its `up`, and in the gate of the pods.

    Args:
        stable, canary: regular expressions of their pods' names
        job: that scrapes them; empty: any
    """
    place = ",".join(filter(None, (f"namespace={json.dumps(namespace)}", job and f"job={json.dumps(job)}")))
    pods = {Arm.CANARY: canary, Arm.STABLE: stable}
    either = f"{named.pod}=~{json.dumps(f'{canary}|{stable}')}"
    errors = ",".join(filter(None, (named.match, f'{named.status}=~"5.."')))
    return Source(
        name="app",
        target=named.pod,
        up=f"up{{{place},{either}}}",
        arms={arm: f"{place},{named.pod}=~{json.dumps(names)}" for arm, names in pods.items()},
        counters={
            REQUESTS: Series(named.requests, named.match),
            SERVER_ERRORS: Series(named.requests, errors),
            TIMED: Series(f"{named.latency}_count", named.match),
        },
        buckets=named.latency,
        bucket_matchers=named.match,
        bucket_unit_seconds=named.unit_seconds,
    )

"""On which platform does a release happen: do workload, router and telemetry fit together, and what are their objects called?

Whether these objects are there is a preflight's question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serinus.errors import Problem
from serinus.policy.model import Content
from serinus.policy.telemetry import App, Prometheus
from serinus.release.plan import Target

LOCAL, KUBERNETES = "local", "kubernetes"
ROUTERS = {LOCAL: ("envoy",), KUBERNETES: ("contour", "gateway-api", "replicas")}
"""What can split the traffic of each workload."""
SOURCES = {
    "envoy": ("envoy",),
    "contour": ("contour", "app"),
    "gateway-api": ("contour", "app"),
    "replicas": ("app",),
}
"""Whose counters tell the two sides apart behind each router, the usual first."""
MOST_REPLICAS = 50.0
"""Percent that router `replicas` can give: at more, stable could not carry everything again."""
WORDS = {LOCAL: "the local platform's own processes", KUBERNETES: "a Deployment on Kubernetes"}


def problems(content: Content) -> Iterator[Problem]:
    """What cannot be meant in `workload` and `router`."""
    workloads, routers = _workloads(content), _routers(content)
    for key, named, known in (("workload", workloads, tuple(ROUTERS)), ("router", routers, tuple(SOURCES))):
        if len(named) != 1:
            found = f"names {' and '.join(named)}" if named else "names none"
            yield Problem(key, found, f"write one of {', '.join(known)}")
    if len(workloads) != 1 or len(routers) != 1:
        return
    fit = ROUTERS[workloads[0]]
    if routers[0] not in fit:
        found = f"{routers[0]} cannot split the traffic of {WORDS[workloads[0]]}"
        yield Problem("router", found, f"write {' or '.join(fit)}")
    if content.workload.image is not None and content.workload.local is not None:
        yield Problem("workload.image", "the local platform runs no images", "leave it out")
    if content.router.replicas is not None and content.workload.min_replicas != 1:
        found = f"{content.workload.min_replicas} pods at least would be a weight: replicas gives it by their number"
        yield Problem("workload.min_replicas", found, "leave it out")


def telemetry_problems(content: Content) -> Iterator[Problem]:
    """What cannot be meant in `telemetry` on this platform."""
    if any(problems(content)):
        return
    router, telemetry = _routers(content)[0], content.telemetry
    if content.workload.kubernetes is not None and telemetry.prometheus is None:
        yield Problem("telemetry", "on Kubernetes no Prometheus is known by itself", "add prometheus: {url: ...}")
    if telemetry.source is not None and telemetry.source not in SOURCES[router]:
        found = f"{telemetry.source} counts nothing of what {router} splits"
        yield Problem("telemetry.source", found, f"write {' or '.join(SOURCES[router])}, or leave it out")
    if telemetry.job is not None and content.workload.local is not None:
        yield Problem("telemetry.job", "the local platform has a Prometheus of its own", "leave it out")
    if telemetry.app is not None:
        yield from _app_problems(content, telemetry.app)


def most_percent(content: Content) -> float:
    """The weight that promotion starts from, at most."""
    return 100.0 if content.router.replicas is None else MOST_REPLICAS


def _app_problems(content: Content, app: App) -> Iterator[Problem]:
    if _source(content) != "app":
        yield Problem("telemetry.app", f"the source is {_source(content)}", "write source: app, or leave it out")
    elif app.unit is None and _unit(app) is None:
        yield Problem("telemetry.app.unit", f"the unit of {app.latency} is not in its name", "add it: s or ms")


def target(content: Content) -> Target:
    """Where the release happens, every name filled in."""
    workload, router = _workloads(content)[0], _routers(content)[0]
    return Target(
        workload=workload,
        router=router,
        source=_source(content),
        workload_options=_workload(content),
        router_options=_router(content),
        telemetry_options=_telemetry(content),
        notify=content.notify,
    )


def _source(content: Content) -> str:
    return content.telemetry.source or SOURCES[_routers(content)[0]][0]


def _unit(app: App) -> str | None:
    """What the histogram's name says, by Prometheus' own custom."""
    words = {"seconds": "s", "milliseconds": "ms", "ms": "ms"}
    return app.unit or words.get(app.latency.rpartition("_")[2])


def _workloads(content: Content) -> list[str]:
    named = {LOCAL: content.workload.local, KUBERNETES: content.workload.kubernetes}
    return [name for name, keys in named.items() if keys is not None]


def _routers(content: Content) -> list[str]:
    router = content.router
    named = {
        "envoy": router.envoy,
        "contour": router.contour,
        "gateway-api": router.gateway_api,
        "replicas": router.replicas,
    }
    return [name for name, keys in named.items() if keys is not None]


def _workload(content: Content) -> Mapping[str, str]:
    keys = content.workload.kubernetes
    if keys is None:
        return {}
    deployment = keys.deployment or content.service
    options = {
        "namespace": keys.namespace,
        "deployment": deployment,
        "service": keys.service or deployment,
        "container": keys.container,
        "autoscaler": keys.autoscaler or deployment,
        "context": keys.context,
        "image": content.workload.image,
    }
    return _given(options)


def _router(content: Content) -> Mapping[str, str]:
    router = content.router
    if router.contour is not None:
        return {"proxy": router.contour.proxy or content.service}
    return {} if router.gateway_api is None else {"route": router.gateway_api.route or content.service}


def _telemetry(content: Content) -> Mapping[str, str]:
    """Flat: `url`, `token`, `ca`, `proxy`, `basic.user`, `basic.password`, `headers.<name>`, `job`, `app.<key>`; empty: its own."""
    server = content.telemetry.prometheus
    if server is None:
        return {}
    app = _app(content.telemetry.app or App()) if _source(content) == "app" else {}
    return _given({**_server(server), "job": content.telemetry.job, **app})


def _app(app: App) -> dict[str, str | None]:
    written = {"requests": app.requests, "status": app.status, "latency": app.latency, "pod": app.pod}
    return {f"app.{key}": value for key, value in {**written, "unit": _unit(app), "match": app.match}.items()}


def _server(server: Prometheus) -> dict[str, str | None]:
    options = {"url": server.url, "token": server.token, "ca": server.ca, "proxy": server.proxy}
    if server.basic is not None:
        options |= {"basic.user": server.basic.user, "basic.password": server.basic.password}
    return options | {f"headers.{name}": value for name, value in server.headers.items()}


def _given(options: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in options.items() if value is not None}

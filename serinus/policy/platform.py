"""On which platform does a release happen: do workload, router and telemetry fit together, and what are their objects called?

Whether these objects are there is a preflight's question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serinus.errors import Problem
from serinus.policy.model import Content, Prometheus
from serinus.release.plan import Target

LOCAL, KUBERNETES = "local", "kubernetes"
ROUTERS = {LOCAL: ("envoy",), KUBERNETES: ("contour", "gateway-api")}
"""What can split the traffic of each workload."""
SOURCES = {"envoy": ("envoy",), "contour": ("contour",), "gateway-api": ("contour",)}
"""Whose counters tell the two sides apart behind each router, the usual first."""
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


def target(content: Content) -> Target:
    """Where the release happens, every name filled in."""
    workload, router = _workloads(content)[0], _routers(content)[0]
    return Target(
        workload=workload,
        router=router,
        source=content.telemetry.source or SOURCES[router][0],
        workload_options=_workload(content),
        router_options=_router(content),
        telemetry_options=_telemetry(content),
        notify=content.notify,
    )


def _workloads(content: Content) -> list[str]:
    named = {LOCAL: content.workload.local, KUBERNETES: content.workload.kubernetes}
    return [name for name, keys in named.items() if keys is not None]


def _routers(content: Content) -> list[str]:
    router = content.router
    named = {"envoy": router.envoy, "contour": router.contour, "gateway-api": router.gateway_api}
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
    """Flat: `url`, `token`, `ca`, `proxy`, `basic.user`, `basic.password`, `headers.<name>`, `job`; empty: the local platform's own."""
    server = content.telemetry.prometheus
    return {} if server is None else _given({**_server(server), "job": content.telemetry.job})


def _server(server: Prometheus) -> dict[str, str | None]:
    options = {"url": server.url, "token": server.token, "ca": server.ca, "proxy": server.proxy}
    if server.basic is not None:
        options |= {"basic.user": server.basic.user, "basic.password": server.basic.password}
    return options | {f"headers.{name}": value for name, value in server.headers.items()}


def _given(options: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in options.items() if value is not None}

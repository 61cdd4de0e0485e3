"""The route of a service in any Gateway API: weights of the backends of an HTTPRoute's rules.

Whether its Gateways serve by it is what each parent's conditions say, of the generation that stands there now.
Source: gateway-api.sigs.k8s.io, HTTPRoute, `gateway.networking.k8s.io/v1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.kube.client import Kind, Kube
from serinus.kube.names import canary_name
from serinus.kube.patch import Object
from serinus.kube.split import Form, Split
from serinus.kube.split_router import SplitRouter, Word

HTTP_ROUTE = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
_SAID = ("Accepted", "ResolvedRefs")


def gateway_api_router(kube: Kube, route: str, service: str, stable: str) -> SplitRouter:
    """The router.

    Args:
        route: name of the HTTPRoute
        service: whose release it is
        stable: name of the stable Service
    """
    expected = {"group": "", "kind": "Service", "namespace": kube.namespace}
    form = Form("rules", "backendRefs", "matches", weight=1, expected=expected, key="router.gateway-api.route")
    return SplitRouter(kube, HTTP_ROUTE, route, Split(form, service, stable, canary_name(stable)), word)


def word(route: Object) -> Word:
    """What its Gateways say of the HTTPRoute as it stands: seen by all that it names and that ever spoke of it."""
    generation = int(route["metadata"]["generation"])
    wanted = [_parent(one, route) for one in (route.get("spec") or {}).get("parentRefs") or ()]
    parents = [
        one for one in (route.get("status") or {}).get("parents") or () if _parent(one["parentRef"], route) in wanted
    ]
    said = [one for parent in parents for one in parent.get("conditions") or () if one.get("type") in _SAID]
    if not said or any(int(one.get("observedGeneration") or 0) < generation for one in said):
        return Word(seen=False)
    complaints = [f"{one.get('reason')}: {one.get('message')}" for one in said if one.get("status") != "True"]
    return Word(seen=True, complaint="; ".join(dict.fromkeys(complaints)))


def _parent(ref: Mapping[str, Any], route: Object) -> tuple[Any, ...]:
    """Which parent a reference means, its defaults filled in."""
    namespace = ref.get("namespace") or route["metadata"].get("namespace")
    return (ref.get("kind") or "Gateway", namespace, ref.get("name"), ref.get("sectionName"), ref.get("port"))

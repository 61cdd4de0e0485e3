"""The route of a service in Contour: weights of the services of an HTTPProxy's routes.

Whether Contour serves by it is what its status says: condition `Valid`, of the generation that stands there now.
Source: projectcontour.io, HTTPProxy API, `projectcontour.io/v1`.
"""

from __future__ import annotations

from serinus.kube.client import Kind, Kube
from serinus.kube.names import canary_name
from serinus.kube.patch import Object
from serinus.kube.split import Form, Split
from serinus.kube.split_router import SplitRouter, Word

HTTP_PROXY = Kind("projectcontour.io", "v1", "httpproxies", "HTTPProxy")
FORM = Form("routes", "services", "conditions", weight=0, expected={"mirror": False}, key="router.contour.proxy")


def contour_router(kube: Kube, proxy: str, service: str, stable: str) -> SplitRouter:
    """The router.

    Args:
        proxy: name of the HTTPProxy with the routes; one that others include, where it is included
        service: whose release it is
        stable: name of the stable Service
    """
    return SplitRouter(kube, HTTP_PROXY, proxy, Split(FORM, service, stable, canary_name(stable)), word)


def word(proxy: Object) -> Word:
    """What Contour says of the HTTPProxy as it stands."""
    conditions = (proxy.get("status") or {}).get("conditions") or ()
    valid = next((one for one in conditions if one.get("type") == "Valid"), None)
    if valid is None or int(valid.get("observedGeneration") or 0) < int(proxy["metadata"]["generation"]):
        return Word(seen=False)
    if valid.get("status") == "True":
        return Word(seen=True)
    errors = [str(error.get("message")) for error in valid.get("errors") or ()]
    return Word(seen=True, complaint="; ".join(errors) or str(valid.get("message") or "invalid"))

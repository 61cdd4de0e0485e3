"""A Deployment that Git owns is known, and what must be ignored stands ready to paste."""

from __future__ import annotations

import pytest

from serinus.kube.named import Routed
from serinus.kube.owner import findings, of_route
from serinus.routers.contour import HTTP_PROXY
from tests.kube.objects import a_deployment


def test_argo_cd_is_told_what_to_ignore() -> None:
    (found,) = findings(a_deployment(), "web")
    assert not found.fatal
    assert "Argo CD applies it from Git" in found.what
    assert """jqPathExpressions: ['.spec.template.spec.containers[] | select(.name == "web") | .image']""" in found.mend


@pytest.mark.parametrize(
    ("labels", "owners"),
    [
        ({}, []),
        ({"app.kubernetes.io/managed-by": "Helm"}, []),
        ({"kustomize.toolkit.fluxcd.io/name": "market"}, ["Flux"]),
    ],
)
def test_others_are_known_by_their_labels(labels: dict[str, str], owners: list[str]) -> None:
    deployment = a_deployment()
    deployment["metadata"] = {"name": "shop", "labels": labels}
    assert [found.what.partition(" applies")[0] for found in findings(deployment, "web")] == owners


def test_a_route_of_git_is_told_as_well() -> None:
    proxy = {"metadata": {"name": "front", "managedFields": [{"manager": "argocd-controller"}]}}
    (argo,) = of_route(proxy, Routed(HTTP_PROXY, "front", ".spec.routes[].services"))
    assert (
        "{group: projectcontour.io, kind: HTTPProxy, name: front, jqPathExpressions: ['.spec.routes[].services']}"
        in argo.mend
    )
    labels = {"helm.toolkit.fluxcd.io/name": "market", "helm.toolkit.fluxcd.io/namespace": "flux"}
    (flux,) = of_route({"metadata": {"name": "front", "labels": labels}}, Routed(HTTP_PROXY, "front", ""))
    assert "flux suspend helmrelease market -n flux" in flux.mend
    assert of_route({"metadata": {"name": "front"}}, Routed(HTTP_PROXY, "front", "")) == []

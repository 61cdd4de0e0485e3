"""A Deployment that Git owns is known, and what must be ignored stands ready to paste."""

from __future__ import annotations

import pytest

from serinus.kube.owner import findings
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

"""Does Git own a Deployment, so that somebody puts it back while it is promoted? Pure; known by labels and annotations.

Source: Argo CD, Resource Tracking and Diff Customization; Flux, Kustomization and HelmRelease.
"""

from __future__ import annotations

from serinus.errors import Finding
from serinus.kube.patch import Object

ARGO_CD = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")
FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")


def findings(deployment: Object, container: str) -> list[Finding]:
    """What will happen, and what must be ignored, ready to paste; none where nobody puts it back.

    Args:
        container: whose image a promotion changes
    """
    metadata = deployment["metadata"]
    said = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    where = f"Deployment {metadata['name']}"
    found = []
    if any(key in said for key in ARGO_CD):
        mend = f"let the Application ignore it: {_ignored(metadata['name'], container)}"
        found.append(
            Finding(_told("Argo CD"), where, f"{mend}, syncOptions: [RespectIgnoreDifferences=true]", fatal=False)
        )
    if any(key in said for key in FLUX):
        mend = "leave the image out of what Flux applies, or suspend it for the release: flux suspend"
        found.append(Finding(_told("Flux"), where, mend, fatal=False))
    return found


def _told(owner: str) -> str:
    return f"{owner} applies it from Git: where it puts the image back in the middle of a promotion, the release is taken back"


def _ignored(name: str, container: str) -> str:
    path = f'.spec.template.spec.containers[] | select(.name == "{container}") | .image'
    return f"ignoreDifferences: [{{group: apps, kind: Deployment, name: {name}, jqPathExpressions: ['{path}']}}]"

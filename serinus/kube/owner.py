"""Does Git own an object, so that somebody puts it back while a release changes it? Pure.

Known by labels, annotations and field managers.
Source: Argo CD, Resource Tracking and Diff Customization; Flux, Kustomization and HelmRelease.
"""

from __future__ import annotations

from serinus.errors import Finding
from serinus.kube.named import Routed
from serinus.kube.patch import Object

ARGO_CD = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")
ARGO_CD_WRITES = frozenset({"argocd-controller", "argocd-application-controller"})
FLUX = {
    "kustomize.toolkit.fluxcd.io": ("kustomization", "kustomize-controller"),
    "helm.toolkit.fluxcd.io": ("helmrelease", "helm-controller"),
}
"""By the prefix of its labels: whose object it is, and who writes it."""


def findings(deployment: Object, container: str) -> list[Finding]:
    """Of the stable Deployment, whose image a promotion changes: what will happen, and what must be ignored, ready to paste.

    Args:
        container: whose image that is
    """
    path = f'.spec.template.spec.containers[] | select(.name == "{container}") | .image'
    what = "where it puts the image back in the middle of a promotion, the release is taken back"
    return _findings(deployment, "apps", "Deployment", path, what)


def of_route(found: Object, routed: Routed) -> list[Finding]:
    """Of the object that splits the traffic."""
    what = "where it puts the weights back, the release is taken back"
    return _findings(found, routed.kind.group, routed.kind.name, routed.backends, what)


def _findings(found: Object, group: str, kind: str, path: str, what: str) -> list[Finding]:
    """None where nobody puts it back.

    Args:
        path: what a release changes of it, as jq has it
    """
    metadata, told = found["metadata"], []
    said = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    writers = {entry.get("manager") for entry in metadata.get("managedFields") or ()}
    where = f"{kind} {metadata['name']}"
    if any(key in said for key in ARGO_CD) or writers & ARGO_CD_WRITES:
        ignored = f"ignoreDifferences: [{{group: {group}, kind: {kind}, name: {metadata['name']}, jqPathExpressions: ['{path}']}}]"
        mend = f"let the Application ignore it: {ignored}, syncOptions: [RespectIgnoreDifferences=true]"
        told.append(Finding(f"Argo CD applies it from Git: {what}", where, mend, fatal=False))
    for prefix, (theirs, writer) in FLUX.items():
        if f"{prefix}/name" in said or writer in writers:
            name = said.get(f"{prefix}/name", "NAME")
            namespace = said.get(f"{prefix}/namespace", "NAMESPACE")
            mend = (
                f"suspend it for the release: flux suspend {theirs} {name} -n {namespace}, and afterwards flux resume"
            )
            told.append(Finding(f"Flux applies it from Git: {what}", where, mend, fatal=False))
    return told

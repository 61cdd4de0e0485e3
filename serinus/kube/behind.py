"""Is the Service that the policy names the one in front of the Deployment's pods, and if not, which is? Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serinus.errors import Finding
from serinus.kube import selector
from serinus.kube.patch import Object

KEY = "workload.kubernetes.service"
"""In a policy; left out, the Service is called as the Deployment."""


def findings(
    name: str, found: Object | None, services: Sequence[Object], pods: Mapping[str, str], deployment: str
) -> list[Finding]:
    """A finding where that Service is not there or selects other pods; nothing where it selects these, or none at all.

    Args:
        name: of the Service that the policy means
        found: that Service; None where there is none
        services: all of the namespace; empty where they may not be listed
        pods: labels of the Deployment's pods
        deployment: its name
    """
    selecting = ((found or {}).get("spec") or {}).get("selector") or {}
    if found is not None and (not selecting or selector.matches({"matchLabels": selecting}, pods)):
        return []
    wanted = selector.asked({"matchLabels": selecting})
    what = f"selects {wanted}, which the pods of Deployment {deployment} do not have" if found else "it is not there"
    return [Finding(what, f"Service {name}", _mend(leading(services, pods), deployment))]


def leading(services: Sequence[Object], pods: Mapping[str, str]) -> list[str]:
    """Names of those that select these pods."""
    selectors = {one["metadata"]["name"]: one["spec"].get("selector") or {} for one in services}
    return sorted(
        name for name, wanted in selectors.items() if wanted and selector.matches({"matchLabels": wanted}, pods)
    )


def _mend(known: Sequence[str], deployment: str) -> str:
    if not known:
        return f"name the one in front of the pods of Deployment {deployment} in {KEY}"
    of = f"{known[0]}, which selects" if len(known) == 1 else f"one of {', '.join(known)}, which select"
    return f"name in {KEY} {of} the pods of Deployment {deployment}"

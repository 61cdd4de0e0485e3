"""Do stable's pods say when they can serve, and serve until nobody asks them? Pure.

What they answer to their probe, and do at their end, is not known here.
"""

from __future__ import annotations

from serinus.errors import Finding
from serinus.kube.template import Template


def findings(template: Template, container: str, deployment: str) -> list[Finding]:
    """Notes where the container that serves has no readiness probe, so that its pods count as ready once it runs; or no `preStop`.

    Args:
        container: the policy's; empty: the only one
        deployment: for people

    Raises:
        Refused: there is no such container
    """
    serving = template.container(container)
    name, where, found = serving["name"], f"Deployment {deployment}", []
    if not serving.get("readinessProbe"):
        what = f"container {name} has no readiness probe: requests reach its pods before they can answer"
        mend = "add a readinessProbe: a canary's first requests fail otherwise, and so do those of every rollout"
        found.append(Finding(what, where, mend, fatal=False))
    if not (serving.get("lifecycle") or {}).get("preStop"):
        what = f"container {name} has no preStop: who still has a pod's address gets a 503 once it has ended"
        mend = "add lifecycle.preStop, such as {sleep: {seconds: 1}}, unless the program serves on after SIGTERM"
        found.append(Finding(what, where, mend, fatal=False))
    return found

"""Do stable's pods say when they can serve? Pure.

What they answer to their probe is not known here.
"""

from __future__ import annotations

from serinus.errors import Finding
from serinus.kube.template import Template


def findings(template: Template, container: str, deployment: str) -> list[Finding]:
    """A note where the container that serves has no readiness probe: its pods count as ready once it runs.

    Args:
        container: the policy's; empty: the only one
        deployment: for people

    Raises:
        Refused: there is no such container
    """
    serving = template.container(container)
    if serving.get("readinessProbe"):
        return []
    what = f"container {serving['name']} has no readiness probe: requests reach its pods before they can answer"
    mend = "add a readinessProbe: a canary's first requests fail otherwise, and so do those of every rollout"
    return [Finding(what, f"Deployment {deployment}", mend, fatal=False)]

"""Which calls do service accounts make of the API server? A line each in its own audit log; calls of the cluster's parts are not kept.

What they mean is for who counts them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOG = "audit"
"""Its name among the cluster's logs."""
ACCOUNTS = "system:serviceaccounts"
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "userGroups": [ACCOUNTS]}, {"level": "None"}],
}
LARGEST_MEGABYTES = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as the API server took it.

    Args:
        user: who made it
        verb: as RBAC names it
        resource: as RBAC and kubectl name it, a subresource behind a slash
        name: the object's; empty for those of many
        selected: of many, only those with some label, field or name
        code: of the answer; 0 of one that is still being given, as a watch is
        began: by the server's clock
        tried: nothing was to be written, only tried (`dryRun`)
    """

    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    selected: bool
    code: int
    began: datetime
    tried: bool = False


def words(settings: Path, logs: Path) -> tuple[str, ...]:
    """What tells an API server to keep it.

    Args:
        settings: a folder for the policy
    """
    policy = settings / "audit.json"
    policy.write_text(json.dumps(POLICY, indent=1))
    return (
        f"--audit-policy-file={policy}",
        f"--audit-log-path={logs / f'{LOG}.log'}",
        f"--audit-log-maxsize={LARGEST_MEGABYTES}",
        "--audit-log-maxbackup=1",
    )


def calls(log: Path, account: str, namespace: str) -> list[Call]:
    """Every call of one service account, each once, in the order in which they began."""
    user = f"system:serviceaccount:{namespace}:{account}"
    last = {event["auditID"]: event for event in _events(log) if event["user"]["username"] == user}
    return sorted(map(_call, last.values()), key=lambda call: call.began)


def _events(log: Path) -> Iterator[dict[str, Any]]:
    """A call that lasts has one as its answer begins and one at its end."""
    with log.open() as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


def _call(event: dict[str, Any]) -> Call:
    about = event.get("objectRef") or {}
    resource = ".".join(filter(None, (about.get("resource", ""), about.get("apiGroup", ""))))
    asked = parse_qs(urlsplit(event["requestURI"]).query)
    name = about.get("name", "")
    ended = event["stage"] != "ResponseStarted"
    return Call(
        user=event["user"]["username"],
        verb=event["verb"],
        resource="/".join(filter(None, (resource, about.get("subresource", "")))),
        namespace=about.get("namespace", ""),
        name=name,
        selected=bool(name or asked.keys() & {"labelSelector", "fieldSelector"}),
        code=(event.get("responseStatus") or {}).get("code", 0) if ended else 0,
        began=datetime.fromisoformat(event["requestReceivedTimestamp"]),
        tried="dryRun" in asked,
    )

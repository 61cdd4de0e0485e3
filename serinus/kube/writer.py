"""Who wrote a Deployment's template last, beside us? Pure; by the field managers that the API server keeps.

Source: kubernetes.io, Server-Side Apply, "Field management".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.kube.names import SERINUS


def of_template(deployment: Mapping[str, Any]) -> str:
    """`kubectl-set at 2026-11-24T10:02:03Z`; empty where nobody else is known to have written it."""
    entries = deployment["metadata"].get("managedFields") or ()
    theirs = [entry for entry in entries if entry.get("manager") != SERINUS and _in_template(entry)]
    last = max(theirs, key=lambda entry: str(entry.get("time") or ""), default=None)
    if last is None:
        return ""
    named = last.get("manager") or "somebody without a name"
    return f"{named} at {last['time']}" if last.get("time") else str(named)


def _in_template(entry: Mapping[str, Any]) -> bool:
    fields = (entry.get("fieldsV1") or {}).get("f:spec") or {}
    return not entry.get("subresource") and "f:template" in fields

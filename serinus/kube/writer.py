"""Who wrote an object, or a Deployment's template, last, beside us? Pure; by the field managers that the API server keeps.

Source: kubernetes.io, Server-Side Apply, "Field management".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from serinus.kube.names import SERINUS


def last(found: Mapping[str, Any]) -> str:
    """`kubectl-edit at 2026-11-24T10:02:03Z`; empty where nobody else is known to have written it. A status is no word of anybody's."""
    return _latest(_theirs(found))


def of_template(deployment: Mapping[str, Any]) -> str:
    """The same, of the template alone."""
    return _latest(
        entry for entry in _theirs(deployment) if "f:template" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    )


def _theirs(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = found["metadata"].get("managedFields") or ()
    return [entry for entry in entries if entry.get("manager") != SERINUS and not entry.get("subresource")]


def _latest(entries: Iterable[Mapping[str, Any]]) -> str:
    latest = max(entries, key=lambda entry: str(entry.get("time") or ""), default=None)
    if latest is None:
        return ""
    named = latest.get("manager") or "somebody without a name"
    return f"{named} at {latest['time']}" if latest.get("time") else str(named)

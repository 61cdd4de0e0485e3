"""What an API server's refusal means to a caller: one of ours, with the verb, resource and namespace that it was about.

Source: kubernetes.io, API concepts; `k8s.io/apimachinery/pkg/api/errors`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from serinus.errors import Conflict, Missing, PlatformError, Refused, Unavailable

LATER = frozenset({408, 425, 429})
"""To be asked again, as 500 and more."""
_NO_SUCH_KIND = "could not find the requested resource"


@dataclass(frozen=True, slots=True)
class Doing:
    """What was asked of the server.

    Args:
        verb: as RBAC has it: `get`, `list`, `create`, `patch`, `delete`
        resource: with its group: `configmaps`, `httpproxies.projectcontour.io`
        namespace: empty for what lies in none
        name: empty for a list
        conditional: it carries a precondition of its own, so that 422 can mean that this does not hold
    """

    verb: str
    resource: str
    namespace: str
    name: str = ""
    conditional: bool = False

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{name}{where}"


def role(verb: str, resource: str) -> str:
    """What is to be granted, as a line of a Role.

    Args:
        resource: with its group and its part: `deployments.apps/scale`
    """
    whole, _, part = resource.partition("/")
    plural, _, group = whole.partition(".")
    named = f"{plural}/{part}" if part else plural
    rule = f'{{apiGroups: ["{group}"], resources: ["{named}"], verbs: ["{verb}"]}}'
    return f"add to our Role: {rule} (deployments/kubernetes has them all)"


class Nowhere(Refused):
    """The namespace itself is not there.

    Args:
        namespace: its name
    """

    def __init__(self, namespace: str) -> None:
        what = f"namespace {namespace} does not exist"
        super().__init__(what, "create it, or name the right one", "workload.kubernetes.namespace")


class Denied(Refused):
    """RBAC does not allow it."""


class Gone(Unavailable):
    """The server has forgotten the version that a watch was to begin at: list again."""


def refusal(doing: Doing, code: int, body: bytes) -> PlatformError:
    """The error for an answer that is none of success.

    Args:
        code: HTTP status, 300 or more
        body: a `Status` object, or whatever a proxy in between said
    """
    status = _status(body)
    words = _words(status, body, code)
    if code == 409:
        return Conflict(f"{doing}: {words}")
    if code == 410:
        return Gone(f"{doing}: the version that it was to begin at is forgotten")
    if code in LATER or code >= 500:
        return Unavailable(f"{doing}: the API server answers {code}: {words}")
    if code == 422 and doing.conditional and not _invalid(status):
        return Conflict(f"{doing}: the object is not as it was read")
    if code == 401:
        # Tokens are renewed by others, and a server that has just started knows none of them for a moment.
        return Unavailable(f"{doing}: the API server does not know who asks (401): the token is wrong or has expired")
    if code == 403 and f"cannot {doing.verb} resource" in words:
        return Denied(f"the right to {doing} is missing: {words}", role(doing.verb, doing.resource))
    if code == 404:
        return _not_found(doing, status, words)
    return Refused(f"{doing}: the API server refuses it ({code}): {words}")


def _not_found(doing: Doing, status: dict[str, Any], words: str) -> Refused:
    if not status or _NO_SUCH_KIND in words:
        return Refused(
            f"{doing}: the API server knows no {doing.resource}: are its CustomResourceDefinitions installed?"
        )
    return Missing(f"{doing}: {words}")


def _invalid(status: dict[str, Any]) -> bool:
    """Validation names the fields; a failed precondition names none."""
    details = status.get("details")
    return isinstance(details, dict) and bool(details.get("causes"))


def _status(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) and said.get("kind") == "Status" else {}


def _words(status: dict[str, Any], body: bytes, code: int) -> str:
    said = str(status.get("message") or "") or body.decode(errors="replace").strip()
    return said.partition("\n")[0][:500] or f"HTTP {code}"

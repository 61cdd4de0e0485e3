"""What is an API server asked, of one namespace? Its objects as they come; refusals as errors of ours.

What the objects mean is the adapters' business; which server is meant says `connecting`, how it is reached `wire`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kubernetes.aio.client import ApiClient

from serinus.errors import Missing, PlatformError, Refused, Unavailable
from serinus.kube.errors import Doing, Nowhere, refusal
from serinus.kube.kubeconfig import Kubeconfig
from serinus.kube.names import SERINUS
from serinus.kube.patch import Object, Operation
from serinus.kube.wire import CALL_SECONDS, JSON_PATCH, Call, Wire

WATCH_SECONDS = 590
"""The server ends a watch after so long, and it is asked for anew. Until then it may be silent: where nobody writes any object of the
kind it sends no bookmark either."""
LATE_SECONDS = 10.0
PAGE = 500
"""Objects of one answer to a list."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object; `group` is empty for the core's."""

    group: str
    version: str
    plural: str
    name: str

    @property
    def resource(self) -> str:
        """As RBAC and kubectl name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "", part: str = "") -> str:
        """Where the server keeps the list, or the object, or a part of it."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return root + inside + "".join(f"/{quote(step, safe='')}" for step in (self.plural, name, part) if step)


CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")
SERVICE = Kind("", "v1", "services", "Service")
POD = Kind("", "v1", "pods", "Pod")
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
_NAMESPACE = Kind("", "v1", "namespaces", "Namespace")
_REVIEW = Kind("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview")
_RULES = Kind("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview")


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects of one kind: one by its name, or those with some labels.

    Args:
        labels: as a label selector is written; empty: all of them
    """

    kind: Kind
    name: str = ""
    labels: str = ""

    @property
    def query(self) -> list[tuple[str, str]]:
        """As the server is asked."""
        return [("fieldSelector", f"metadata.name={self.name}")] if self.name else [("labelSelector", self.labels)]


class Kube:
    """An API server, seen from one namespace; close it with `aclose`.

    Args:
        api: of `kubernetes.aio`
        namespace: of every object
        seconds: time-out of a call
        credentials: renews the token once it was not accepted
    """

    def __init__(
        self, api: ApiClient, namespace: str, seconds: float = CALL_SECONDS, credentials: Kubeconfig | None = None
    ) -> None:
        self.namespace = namespace
        self._wire = Wire(api, seconds, credentials)

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def get(self, kind: Kind, name: str) -> Object:
        """The object as it stands, never from a cache.

        Raises:
            Nowhere: not even its namespace is there
            Missing: it is not there
        """
        try:
            return await self._got(kind, name)
        except Missing as cause:
            if await self._nowhere():
                raise Nowhere(self.namespace) from cause
            raise

    async def find(self, kind: Kind, name: str) -> Object | None:
        """The object as it stands; None where there is none."""
        try:
            return await self._got(kind, name)
        except Missing:
            return None

    async def _got(self, kind: Kind, name: str) -> Object:
        doing = Doing("get", kind.resource, self.namespace, name)
        return _object(doing, await self._wire.answer(Call(doing, "GET", kind.path(self.namespace, name))))

    async def _nowhere(self) -> bool:
        """Whether the namespace is known not to be there; who may not ask does not know."""
        doing = Doing("get", _NAMESPACE.resource, "", self.namespace)
        try:
            await self._wire.answer(Call(doing, "GET", _NAMESPACE.path("", self.namespace)))
        except Missing:
            return True
        except PlatformError:
            return False
        return False

    async def select(self, kind: Kind, selector: str) -> list[Object]:
        """Every object with these labels."""
        _, found = await self.listed(Selection(kind, labels=selector))
        return found

    async def spread(self, kind: Kind, selector: str) -> list[Object]:
        """Every object with these labels, whatever its namespace."""
        _, found = await self._listed(Selection(kind, labels=selector), "")
        return found

    async def listed(self, selection: Selection) -> tuple[str, list[Object]]:
        """The objects, and the version at which a watch goes on from them."""
        return await self._listed(selection, self.namespace)

    async def _listed(self, selection: Selection, namespace: str) -> tuple[str, list[Object]]:
        doing = Doing("list", selection.kind.resource, namespace)
        path, found, further = selection.kind.path(namespace), list[Object](), ""
        while True:
            query = [*selection.query, ("limit", str(PAGE)), *([("continue", further)] if further else [])]
            answer = _object(doing, await self._wire.answer(Call(doing, "GET", path, query)))
            found += answer.get("items") or ()
            told = answer.get("metadata") or {}
            further = told.get("continue") or ""
            if not further:
                return str(told.get("resourceVersion") or ""), found

    async def events(self, selection: Selection, version: str) -> AsyncIterator[tuple[str, Object]]:
        """What happens to the objects after a version: `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK`; until the server ends it.

        Raises:
            Gone: that version is too old
            Unavailable: nothing was heard for a while
        """
        doing = Doing("watch", selection.kind.resource, self.namespace, selection.name)
        asked = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        query = [*selection.query, *asked.items(), ("timeoutSeconds", str(WATCH_SECONDS))]
        late = WATCH_SECONDS + LATE_SECONDS
        async for line in self._wire.lines(Call(doing, "GET", selection.kind.path(self.namespace), query), late):
            yield _event(doing, line)

    async def create(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        """Raises Conflict where it is there already."""
        doing = Doing("create", kind.resource, self.namespace, body["metadata"]["name"])
        whole = {"apiVersion": kind.api_version, "kind": kind.name, **body}
        path = kind.path(self.namespace)
        return _object(doing, await self._wire.answer(Call(doing, "POST", path, _written(dry_run), whole)))

    async def patch(
        self, kind: Kind, name: str, operations: Sequence[Operation], *, dry_run: bool = False, part: str = ""
    ) -> Object:
        """The object as it was written.

        Args:
            operations: with their preconditions among them
            part: a subresource, such as `scale`

        Raises:
            Conflict: a precondition does not hold
        """
        conditional = any(operation["op"] == "test" for operation in operations)
        resource = f"{kind.resource}/{part}" if part else kind.resource
        doing = Doing("patch", resource, self.namespace, name, conditional)
        path = kind.path(self.namespace, name, part)
        body = list(operations)
        return _object(doing, await self._wire.answer(Call(doing, "PATCH", path, _written(dry_run), body, JSON_PATCH)))

    async def delete(self, kind: Kind, name: str, uid: str) -> None:
        """This very object; nothing to do where it is gone. Raises Conflict where another has its name."""
        doing = Doing("delete", kind.resource, self.namespace, name)
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._wire.answer(Call(doing, "DELETE", kind.path(self.namespace, name), body=body))
        except Missing:
            return

    async def log(self, pod: str, container: str, lines: int, *, previous: bool = False) -> str:
        """The last lines of a container; of the one before it, where it was restarted."""
        doing = Doing("get", "pods/log", self.namespace, pod)
        query = [("container", container), ("tailLines", str(lines)), ("previous", str(previous).lower())]
        return (await self._wire.answer(Call(doing, "GET", POD.path(self.namespace, pod, "log"), query))).decode(
            errors="replace"
        )

    async def may(self, verb: str, kind: Kind, name: str = "", part: str = "") -> bool:
        """Whether RBAC lets us do this here; changes nothing."""
        asked = {"namespace": self.namespace, "verb": verb, "group": kind.group, "resource": kind.plural, "name": name}
        status = await self._reviewed(_REVIEW, {"resourceAttributes": {**asked, "subresource": part}})
        return bool(status.get("allowed"))

    async def rules(self) -> Mapping[str, Any]:
        """The status of a review of everything that we may do here; changes nothing."""
        return await self._reviewed(_RULES, {"namespace": self.namespace})

    async def _reviewed(self, kind: Kind, spec: Mapping[str, Any]) -> dict[str, Any]:
        body = {"apiVersion": kind.api_version, "kind": kind.name, "spec": spec}
        doing = Doing("create", kind.resource, "")
        answer = _object(doing, await self._wire.answer(Call(doing, "POST", kind.path(""), body=body, asks=True)))
        return dict(answer.get("status") or {})

    async def serves(self, kind: Kind) -> bool:
        """Whether the server knows the kind at all; whoever is known to it may ask that."""
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        doing = Doing("get", kind.api_version, "")
        try:
            listed = _object(doing, await self._wire.answer(Call(doing, "GET", root)))
        except Refused:
            return False
        return any(one.get("name") == kind.plural for one in listed.get("resources") or ())


def _written(dry_run: bool) -> list[tuple[str, str]]:
    return [("fieldManager", SERINUS), *([("dryRun", "All")] if dry_run else [])]


def _object(doing: Doing, said: bytes) -> Object:
    try:
        answer = json.loads(said)
    except ValueError as cause:
        raise Unavailable(f"{doing}: the answer is no JSON; is {doing.resource} served by an API server?") from cause
    if not isinstance(answer, dict):
        raise Unavailable(f"{doing}: the answer is no object")
    return answer


def _event(doing: Doing, line: bytes) -> tuple[str, Object]:
    said = _object(doing, line)
    kind, about = str(said.get("type")), said.get("object") or {}
    if kind == "ERROR":
        raise refusal(doing, int(about.get("code") or 500), json.dumps(about).encode())
    return kind, about

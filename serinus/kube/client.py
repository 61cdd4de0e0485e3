"""One API server and namespace, asked with a time-out on every call; refusals come as errors of ours.

What its objects mean is the adapters' business; which server is meant says `connecting`.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.config import ConfigException

from serinus.errors import PlatformError, Refused, Unavailable
from serinus.kube.errors import Doing, Missing, refusal
from serinus.kube.names import SERINUS
from serinus.kube.patch import Object, Operation

CALL_SECONDS = 3.0
"""No call is waited for any longer; a write past it is unknown, not undone."""
QUIET_SECONDS = 90.0
"""A watch says something each minute; one that does not is no longer heard."""
WATCH_SECONDS = 290
"""The server ends a watch after so long, and it is asked for anew."""
PAGE = 500
"""Objects of one answer to a list."""
CREDENTIAL_SECONDS = 10.0
"""How long a program that a kubeconfig names for its token may take."""
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"


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
_REVIEW = Kind("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview")


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


class Gone(Unavailable):
    """The server has forgotten the version that a watch was to begin at: list again."""


class Kube:
    """An API server, seen from one namespace; close it with `aclose`.

    Args:
        api: of `kubernetes.aio`
        namespace: of every object
        seconds: time-out of a call
        credentials: loads the token anew once it was not accepted
    """

    def __init__(
        self, api: ApiClient, namespace: str, seconds: float = CALL_SECONDS, credentials: Any | None = None
    ) -> None:
        self._api = api
        self.namespace = namespace
        self._seconds = seconds
        self._credentials = credentials

    async def aclose(self) -> None:
        await self._api.close()

    async def get(self, kind: Kind, name: str) -> Object:
        """The object as it stands, never from a cache. Raises Refused where there is none."""
        doing = Doing("get", kind.resource, self.namespace, name)
        return _object(doing, await self._answer(doing, "GET", kind.path(self.namespace, name)))

    async def find(self, kind: Kind, name: str) -> Object | None:
        """The object as it stands; None where there is none."""
        try:
            return await self.get(kind, name)
        except Missing:
            return None

    async def select(self, kind: Kind, selector: str) -> list[Object]:
        """Every object with these labels."""
        _, found = await self.listed(Selection(kind, labels=selector))
        return found

    async def listed(self, selection: Selection) -> tuple[str, list[Object]]:
        """The objects, and the version at which a watch goes on from them."""
        doing = Doing("list", selection.kind.resource, self.namespace)
        path, found, further = selection.kind.path(self.namespace), list[Object](), ""
        while True:
            query = [*selection.query, ("limit", str(PAGE)), *([("continue", further)] if further else [])]
            answer = _object(doing, await self._answer(doing, "GET", path, query))
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
        timeout = aiohttp.ClientTimeout(total=None, connect=self._seconds, sock_read=QUIET_SECONDS)
        with self._reaching(doing):
            answer = await self._send("GET", selection.kind.path(self.namespace), query, timeout)
            async with answer.response:
                if answer.status >= 300:
                    raise _unwatched(doing, answer.status, await answer.read())
                async for line in answer.response.content:
                    yield _event(doing, line)

    async def create(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        """Raises Conflict where it is there already."""
        doing = Doing("create", kind.resource, self.namespace, body["metadata"]["name"])
        whole = {"apiVersion": kind.api_version, "kind": kind.name, **body}
        path = kind.path(self.namespace)
        return _object(doing, await self._answer(doing, "POST", path, _written(dry_run), whole))

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
        return _object(doing, await self._answer(doing, "PATCH", path, _written(dry_run), body, JSON_PATCH))

    async def delete(self, kind: Kind, name: str, uid: str) -> None:
        """This very object; nothing to do where it is gone. Raises Conflict where another has its name."""
        doing = Doing("delete", kind.resource, self.namespace, name)
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._answer(doing, "DELETE", kind.path(self.namespace, name), body=body)
        except Missing:
            return

    async def log(self, pod: str, container: str, lines: int, *, previous: bool = False) -> str:
        """The last lines of a container; of the one before it, where it was restarted."""
        doing = Doing("get", "pods/log", self.namespace, pod)
        query = [("container", container), ("tailLines", str(lines)), ("previous", str(previous).lower())]
        return (await self._answer(doing, "GET", POD.path(self.namespace, pod, "log"), query)).decode(errors="replace")

    async def may(self, verb: str, kind: Kind, name: str = "", part: str = "") -> bool:
        """Whether RBAC lets us do this here; changes nothing."""
        asked = {"namespace": self.namespace, "verb": verb, "group": kind.group, "resource": kind.plural, "name": name}
        spec = {"resourceAttributes": {**asked, "subresource": part}}
        body = {"apiVersion": _REVIEW.api_version, "kind": _REVIEW.name, "spec": spec}
        doing = Doing("create", _REVIEW.resource, "")
        answer = _object(doing, await self._answer(doing, "POST", _REVIEW.path(""), body=body))
        return bool(answer.get("status", {}).get("allowed"))

    async def serves(self, kind: Kind) -> bool:
        """Whether the server knows the kind at all; whoever is known to it may ask that."""
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        doing = Doing("get", kind.api_version, "")
        try:
            listed = _object(doing, await self._answer(doing, "GET", root))
        except Refused:
            return False
        return any(one.get("name") == kind.plural for one in listed.get("resources") or ())

    async def _answer(
        self,
        doing: Doing,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Object | list[Operation] | None = None,
        content: str = JSON,
    ) -> bytes:
        code, said = await self._ask(doing, method, path, query, body, content)
        if code == 401 and self._credentials is not None:
            await self._renew(doing)
            code, said = await self._ask(doing, method, path, query, body, content)
        if code >= 300:
            raise refusal(doing, code, said)
        return said

    async def _ask(
        self,
        doing: Doing,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        body: Object | list[Operation] | None,
        content: str,
    ) -> tuple[int, bytes]:
        with self._reaching(doing):
            async with asyncio.timeout(self._seconds):
                timeout = aiohttp.ClientTimeout(self._seconds)
                answer = await self._send(method, path, query, timeout, body, content)
                return answer.status, await answer.read()

    async def _send(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        timeout: aiohttp.ClientTimeout,
        body: Object | list[Operation] | None = None,
        content: str = JSON,
    ) -> Any:
        request = await self._api.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params={"Accept": JSON, "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],
        )
        return await self._api.call_api(*request, _request_timeout=timeout)

    @contextmanager
    def _reaching(self, doing: Doing) -> Iterator[None]:
        """What keeps an answer from coming, as an error of ours."""
        where = self._api.configuration.host
        try:
            yield
        except TimeoutError as cause:
            raise Unavailable(f"{doing}: the API server did not answer within {self._seconds:g} s") from cause
        except (ssl.SSLCertVerificationError, aiohttp.ClientConnectorCertificateError) as cause:
            raise Refused(f"{doing}: the certificate of {where} is not trusted: {cause}") from cause
        except (aiohttp.ClientError, OSError) as cause:
            raise Unavailable(f"{doing}: no connection to {where}: {cause or type(cause).__name__}") from cause

    async def _renew(self, doing: Doing) -> None:
        assert self._credentials is not None
        try:
            async with asyncio.timeout(CREDENTIAL_SECONDS):
                await self._credentials.load_and_set(self._api.configuration)
        except (TimeoutError, ConfigException, OSError) as cause:
            raise Refused(f"{doing}: the kubeconfig gives no new token: {cause or type(cause).__name__}") from cause


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
        raise _unwatched(doing, int(about.get("code") or 500), json.dumps(about).encode())
    return kind, about


def _unwatched(doing: Doing, code: int, said: bytes) -> PlatformError:
    return (
        Gone(f"{doing}: the version that it was to begin at is forgotten")
        if code == 410
        else refusal(doing, code, said)
    )

"""What do the ConfigMaps, Secrets and tokens hold that a pod refers to? Asked of the API server, and kept for as long as allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from serinus.local.cluster.node.api import Api, ApiError
from serinus.local.cluster.node.environment import Source, Sources, decoded
from serinus.local.cluster.node.status import Object

TOKEN_SECONDS = 3_600
RENEW_SECONDS = 0.8 * TOKEN_SECONDS


@dataclass(slots=True)
class Reader:
    """One node's, for all its pods."""

    api: Api
    _kept: dict[tuple[str, Source], tuple[float, Mapping[str, bytes] | None]] = field(default_factory=dict)

    async def read(self, pod: Object, wanted: Iterable[Source], age: float = 0.0) -> Sources:
        """What they hold now, or held at most so many seconds ago; a token is one until it must be renewed.

        Raises:
            as `Api.call`
        """
        loop, found = asyncio.get_running_loop(), {}
        for source in wanted:
            token = source[0] == "tokens"
            key = (pod["metadata"]["uid" if token else "namespace"], source)
            at, held = self._kept.get(key, (float("-inf"), None))
            if loop.time() - at > (RENEW_SECONDS if token else age):
                held = await self._ask(pod, source)
                self._kept[key] = (loop.time(), held)
            found[source] = held
        return found

    def forget(self, uid: str) -> None:
        """A pod is gone, and its tokens with it."""
        self._kept = {key: kept for key, kept in self._kept.items() if key[0] != uid}

    async def _ask(self, pod: Object, source: Source) -> Mapping[str, bytes] | None:
        (kind, name), namespace = source, pod["metadata"]["namespace"]
        if kind == "tokens":
            return {"token": (await self._token(pod, name)).encode()}
        try:
            return decoded(kind, await self.api.call("GET", f"/api/v1/namespaces/{namespace}/{kind}/{name}"))
        except ApiError as problem:
            if problem.status != 404:
                raise
            return None

    async def _token(self, pod: Object, audience: str) -> str:
        metadata, account = pod["metadata"], pod["spec"].get("serviceAccountName", "default")
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {"expirationSeconds": TOKEN_SECONDS, "boundObjectRef": bound}
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
        made = await self.api.call("POST", path, {"spec": spec | ({"audiences": [audience]} if audience else {})})
        return str(made["status"]["token"])

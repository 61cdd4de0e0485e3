"""How does the node tell people what happened to a pod? As Events, one for each reason and text, counted up."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from serinus.local.cluster.node.api import STRATEGIC, Api, ApiError
from serinus.local.cluster.node.status import Object

MESSAGE_CHARACTERS = 1_024


@dataclass(slots=True)
class Events:
    """What was told so far, by pod, reason and text: the event's name and its count."""

    api: Api
    node: str
    _told: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)

    async def tell(self, pod: Object, kind: str, reason: str, message: str, now: str, container: str = "") -> None:
        """Record it.

        Args:
            kind: `Normal` or `Warning`

        Raises:
            as `Api.call`
        """
        metadata, message = pod["metadata"], message[:MESSAGE_CHARACTERS]
        path = f"/api/v1/namespaces/{metadata['namespace']}/events"
        name, count = self._told.get((metadata["uid"], reason, message), ("", 0))
        if name:
            try:
                again = {"count": count + 1, "lastTimestamp": now}
                await self.api.call("PATCH", f"{path}/{name}", again, kind=STRATEGIC)
            except ApiError as problem:
                if problem.status != 404:
                    raise
                name = ""
        if not name:
            name, count = f"{metadata['name'][:220]}.{secrets.token_hex(8)}", 0
            await self.api.call("POST", path, self._event(pod, kind, reason, message, now, container, name))
        self._told[metadata["uid"], reason, message] = (name, count + 1)

    def forget(self, uid: str) -> None:
        """A pod is gone."""
        self._told = {key: told for key, told in self._told.items() if key[0] != uid}

    def _event(self, pod: Object, kind: str, reason: str, message: str, now: str, container: str, name: str) -> Object:
        metadata = pod["metadata"]
        about = {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
        return {
            "metadata": {"name": name, "namespace": metadata["namespace"]},
            "involvedObject": about | ({"fieldPath": f"spec.containers{{{container}}}"} if container else {}),
            "reason": reason,
            "message": message,
            "type": kind,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "kubelet", "host": self.node},
        }

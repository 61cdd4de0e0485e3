"""How does the node speak to the API server? Objects as their JSON, through the client's own connection and credentials."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config

from serinus.local.cluster.node.status import Object

TIMEOUT_SECONDS = 10.0
WATCH_SECONDS = 300
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


class ApiError(Exception):
    """The server said no; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"{status}: {message}")


UNREACHABLE = (ApiError, aiohttp.ClientError, OSError, TimeoutError)
"""What a call may raise, and what a kubelet tries again."""


@dataclass(frozen=True, slots=True)
class Api:
    """One API server, as one user."""

    connection: client.ApiClient

    async def call(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", **query: str
    ) -> dict[str, Any]:
        """One request.

        Raises:
            ApiError: anything but a success
            aiohttp.ClientError, OSError, TimeoutError: no answer
        """
        answer = await self._ask(method, path, body, kind, TIMEOUT_SECONDS, query)
        text = await answer.response.read()
        said: dict[str, Any] = json.loads(text) if text else {}
        return said

    async def watch(self, path: str, version: str, **query: str) -> AsyncIterator[tuple[str, Object]]:
        """What happens to the listed objects after that version, until the server ends it.

        Raises:
            ApiError: 410 where the version is too old, and as `call`
        """
        asked = {**query, "watch": "1", "resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
        answer = await self._ask("GET", path, None, "application/json", WATCH_SECONDS + TIMEOUT_SECONDS, asked)
        try:
            while line := await answer.response.content.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(event["object"].get("code", 500), event["object"].get("message", ""))
                yield event["type"], event["object"]
        finally:
            answer.response.close()

    async def _ask(
        self, method: str, path: str, body: Any, kind: str, seconds: float, query: dict[str, str]
    ) -> client.rest.RESTResponse:
        verb, url, headers, body, _ = await self.connection.param_serialize(
            method, path, body=body, header_params={"Content-Type": kind}, auth_settings=["BearerToken"]
        )
        url += "?" + urlencode(query) if query else ""
        answer = await self.connection.call_api(verb, url, headers, body, _request_timeout=seconds)
        if not 200 <= answer.status < 300:
            text = (await answer.response.read()).decode(errors="replace")
            raise ApiError(answer.status, _message(text))
        return answer


async def connect(kubeconfig: str) -> Api:
    """By the current context of that file; nothing is asked yet."""
    found = client.Configuration()
    await config.load_kube_config(config_file=kubeconfig, client_configuration=found)
    return Api(client.ApiClient(found))


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200]

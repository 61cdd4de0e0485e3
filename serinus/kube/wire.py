"""How is an API server reached? With a time-out on every call, and once more with a new token where the old one has expired.

What keeps an answer from coming is an error of ours; what is asked is `client`'s business.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.config import ConfigException

from serinus.errors import PlatformError, Refused, Unavailable
from serinus.kube.errors import Denied, Doing, refusal
from serinus.kube.patch import Object, Operation

CALL_SECONDS = 3.0
"""No call is waited for any longer; a write past it is unknown, not undone."""
PROBES = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""What the kernel does about a connection on which nothing comes; where it knows these."""
CREDENTIAL_SECONDS = 10.0
"""How long a program that a kubeconfig names for its token may take."""
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"


async def as_go(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """A body as Go writes JSON: an API server compares a patch's `test` with its own bytes, and Python escapes otherwise."""
    said = await request.body.as_bytes() if isinstance(request.body, aiohttp.Payload) else request.body
    if said:
        text = json.dumps(json.loads(said), ensure_ascii=False, separators=(",", ":"))
        await request.update_body(text.translate(_ESCAPED).encode())
    return await handler(request)


_ESCAPED = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
"""Within strings alone can any of these stand."""


class Wire:
    """A connection to an API server; close it with `aclose`.

    Args:
        api: of `kubernetes.aio`
        seconds: time-out of a call
        credentials: loads the token anew once it was not accepted
    """

    def __init__(self, api: ApiClient, seconds: float, credentials: Any | None) -> None:
        self._api = api
        self._seconds = seconds
        self._credentials = credentials
        self._allowed = set[Doing]()

    async def aclose(self) -> None:
        await self._api.close()

    async def answer(
        self,
        doing: Doing,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Object | list[Operation] | None = None,
        content: str = JSON,
    ) -> bytes:
        """What the server says. Raises what `refusal` makes of anything but success."""
        code, said = await self._ask(doing, method, path, query, body, content)
        if code == 401 and self._credentials is not None:
            await self._renew(doing)
            code, said = await self._ask(doing, method, path, query, body, content)
        if code >= 300:
            raise self._refusal(doing, code, said)
        self._allowed.add(doing)
        return said

    async def lines(
        self, doing: Doing, path: str, query: Sequence[tuple[str, str]], seconds: float
    ) -> AsyncIterator[bytes]:
        """An answer that goes on, line by line, until the server ends it.

        Args:
            seconds: in which the server ends it, had it nothing to say; a connection that is lost is noticed sooner

        Raises:
            Unavailable: it has not
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_read=seconds)
        answer = await self._begun(doing, path, query, timeout)
        if answer.status == 401 and self._credentials is not None:
            answer.response.close()
            await self._renew(doing)
            answer = await self._begun(doing, path, query, timeout)
        with self._reaching(doing, seconds):
            async with answer.response:
                if answer.status >= 300:
                    raise self._refusal(doing, answer.status, await answer.read())
                self._allowed.add(doing)
                _probed(answer.response)
                async for line in answer.response.content:
                    yield line

    def _refusal(self, doing: Doing, code: int, said: bytes) -> PlatformError:
        """A right that was there may come back: a server that has just started knows no role yet, and denies what it will allow."""
        error = refusal(doing, code, said)
        if isinstance(error, Denied) and doing in self._allowed:
            return Unavailable(f"{error}; it was there before")
        return error

    async def _begun(
        self, doing: Doing, path: str, query: Sequence[tuple[str, str]], timeout: aiohttp.ClientTimeout
    ) -> Any:
        with self._reaching(doing, self._seconds):
            async with asyncio.timeout(self._seconds):
                return await self._send("GET", path, query, timeout)

    async def _ask(
        self,
        doing: Doing,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        body: Object | list[Operation] | None,
        content: str,
    ) -> tuple[int, bytes]:
        with self._reaching(doing, self._seconds):
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
    def _reaching(self, doing: Doing, seconds: float) -> Iterator[None]:
        """What keeps an answer from coming, as an error of ours."""
        where = self._api.configuration.host
        try:
            yield
        except TimeoutError as cause:
            raise Unavailable(f"{doing}: the API server did not answer within {seconds:g} s") from cause
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


def _probed(answer: aiohttp.ClientResponse) -> None:
    """A server with nothing to say is silent for minutes; whether it is still there its kernel tells ours, which costs it no call."""
    transport = answer.connection and answer.connection.transport
    found: Any = transport and transport.get_extra_info("socket")
    if found is None:
        return
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in PROBES.items():
        if hasattr(socket, name):
            found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

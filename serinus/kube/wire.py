"""How is an API server reached? With a time-out on every call, once more with a new token where the old one has expired, and a question
a few times where it was not answered.

What keeps an answer from coming is an error of ours; what is asked is `client`'s business.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient

from serinus.errors import PlatformError, Refused, Unavailable
from serinus.kube.errors import LATER, Denied, Doing, refusal
from serinus.kube.kubeconfig import Kubeconfig
from serinus.kube.patch import Object, Operation
from serinus.within import within

CALL_SECONDS = 3.0
"""No call is waited for any longer; a write past it is unknown, not undone."""
PROBES = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""What the kernel does about a connection on which nothing comes; where it knows these."""
READS, READ_CALLS = 4, 2.0
"""A question is asked so often at most, for so many times a call's time-out all in all."""
FIRST_PAUSE_SECONDS = 0.1
"""Doubled from one time to the next. A server that names a time (`Retry-After`) is given it, where so much is left."""
COMES_BACK_SECONDS = 60.0
"""A right that was there and is denied for so long does not come back by itself: a person is needed."""
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


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of an API server, or written to it.

    Args:
        doing: for whoever reads why it failed
        body: is written as `content`
        asks: it changes nothing, whatever its method
    """

    doing: Doing
    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: Object | Sequence[Operation] | None = None
    content: str = JSON
    asks: bool = False

    @property
    def tries(self) -> int:
        """A write is sent once: it may have been done."""
        return READS if self.asks or self.method == "GET" else 1


class Wire:
    """A connection to an API server; close it with `aclose`.

    Args:
        api: of `kubernetes.aio`
        seconds: time-out of a call
        credentials: renews the token once it was not accepted
    """

    def __init__(self, api: ApiClient, seconds: float, credentials: Kubeconfig | None) -> None:
        self._api = api
        self._seconds = seconds
        self._credentials = credentials
        self._allowed = set[Doing]()
        self._denied = dict[Doing, float]()
        """Since when, of what was allowed before."""

    async def aclose(self) -> None:
        await self._api.close()

    async def answer(self, call: Call) -> bytes:
        """What the server says; a question is asked again where it does not answer, or answers later.

        Raises:
            PlatformError: what `refusal` makes of anything but success
        """
        until = time.monotonic() + READ_CALLS * self._seconds
        tries, pause = call.tries, FIRST_PAUSE_SECONDS
        while True:
            tries -= 1
            seconds = min(self._seconds, until - time.monotonic())
            try:
                code, said, after = await self._answer(call, seconds)
            except Unavailable:
                if not self._again(tries, pause, until):
                    raise
                after = 0.0
            else:
                if code < 300:
                    self._allow(call.doing)
                    return said
                if (code not in LATER and code < 500) or not self._again(tries, max(pause, after), until):
                    raise self._refusal(call.doing, code, said)
            await asyncio.sleep(max(pause, after))
            pause *= 2

    def _again(self, tries: int, pause: float, until: float) -> bool:
        """Whether there is a try left, and time for half a call at least."""
        return tries > 0 and time.monotonic() + pause + self._seconds / 2 <= until

    async def _answer(self, call: Call, seconds: float) -> tuple[int, bytes, float]:
        """One try, with a new token where the old one is not accepted."""
        answer = await self._ask(call, seconds)
        if answer[0] == 401 and self._credentials is not None:
            await self._renew(call.doing)
            answer = await self._ask(call, self._seconds)
        return answer

    async def lines(self, call: Call, seconds: float) -> AsyncIterator[bytes]:
        """An answer that goes on, line by line, until the server ends it.

        Args:
            seconds: in which the server ends it, had it nothing to say; a connection that is lost is noticed sooner

        Raises:
            Unavailable: it has not
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_read=seconds)
        answer = await self._begun(call, timeout)
        if answer.status == 401 and self._credentials is not None:
            answer.response.close()
            await self._renew(call.doing)
            answer = await self._begun(call, timeout)
        with self._reaching(call.doing, seconds):
            async with answer.response:
                if answer.status >= 300:
                    raise self._refusal(call.doing, answer.status, await answer.read())
                self._allow(call.doing)
                _probed(answer.response)
                async for line in answer.response.content:
                    yield line

    def _allow(self, doing: Doing) -> None:
        self._allowed.add(doing)
        self._denied.pop(doing, None)

    def _refusal(self, doing: Doing, code: int, said: bytes) -> PlatformError:
        """A right that was there may come back: a server that has just started knows no role yet, and denies what it will allow."""
        error = refusal(doing, code, said)
        if not isinstance(error, Denied) or doing not in self._allowed:
            return error
        since = self._denied.setdefault(doing, time.monotonic())
        lasted = time.monotonic() - since >= COMES_BACK_SECONDS
        return error if lasted else Unavailable(f"{error.what}; it was there before")

    async def _begun(self, call: Call, timeout: aiohttp.ClientTimeout) -> Any:
        with self._reaching(call.doing, self._seconds):
            async with within(self._seconds):
                return await self._send(call, timeout)

    async def _ask(self, call: Call, seconds: float) -> tuple[int, bytes, float]:
        """Code, body, and how many seconds later it should be asked again."""
        with self._reaching(call.doing, seconds):
            async with within(seconds):
                answer = await self._send(call, aiohttp.ClientTimeout(seconds))
                return answer.status, await answer.read(), _later(answer.response)

    async def _send(self, call: Call, timeout: aiohttp.ClientTimeout) -> Any:
        request = await self._api.param_serialize(
            call.method,
            call.path,
            query_params=list(call.query),
            header_params={"Accept": JSON, "Content-Type": call.content},
            body=call.body,
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
            raise Unavailable(f"{doing}: the API server did not answer within {seconds:.2g} s") from cause
        except (ssl.SSLCertVerificationError, aiohttp.ClientConnectorCertificateError) as cause:
            raise Refused(f"{doing}: the certificate of {where} is not trusted: {cause}") from cause
        except (aiohttp.ClientError, OSError) as cause:
            raise Unavailable(f"{doing}: no connection to {where}: {cause or type(cause).__name__}") from cause

    async def _renew(self, doing: Doing) -> None:
        assert self._credentials is not None
        try:
            async with within(CREDENTIAL_SECONDS):
                await self._credentials.renew(self._api.configuration)
        except Exception as cause:  # see `Kubeconfig`; whoever writes the file may not have done yet
            raise Unavailable(f"{doing}: the kubeconfig gives no new token: {cause or type(cause).__name__}") from cause


def _later(answer: aiohttp.ClientResponse) -> float:
    """Seconds, as `Retry-After` has them; 0 where it has none, or a date."""
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else 0.0


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

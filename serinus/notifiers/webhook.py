"""How is a service told that takes JSON over HTTP?

The address often is the secret (chat services put it into the path), so only its host is ever shown.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict
from typing import Self

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from serinus.errors import Refused, Unavailable
from serinus.ports import Notice
from serinus.redact import redact
from serinus.within import within

ATTEMPTS = 3
LATER = 429


class _Later(Unavailable):
    """It may work in a moment."""


class WebhookNotifier:
    """POST of `{"service", "release", "text", "id", "urgent"}`; any 2xx is "told".

    Args:
        url: http or https; nothing of the environment is used, no proxy variable and no `.netrc`
        timeout_seconds: of one attempt
        pause_seconds: before the second attempt; twice as long before the third

    Raises:
        Refused: no such address can be
    """

    def __init__(self, url: str, timeout_seconds: float = 3.0, pause_seconds: float = 0.5) -> None:
        self._url = parsed(url)
        self._shown = shown(self._url)
        self._timeout_seconds = timeout_seconds
        self._pause_seconds = pause_seconds
        # Not a client: that one logs every address whole.
        self._transport = httpx.AsyncHTTPTransport(trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    async def tell(self, notice: Notice) -> None:
        """See `ports.Notifier`. Ends within `ATTEMPTS` time-outs and the pauses between them."""
        again = AsyncRetrying(
            retry=retry_if_exception_type(_Later),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=self._pause_seconds),
            reraise=True,
        )
        await again(self._post, notice)

    async def _post(self, notice: Notice) -> None:
        try:
            async with within(self._timeout_seconds):
                response = await self._transport.handle_async_request(self._request(notice))
                await response.aclose()
        except (TimeoutError, httpx.TimeoutException):
            raise _Later(f"{self._shown} did not answer within {self._timeout_seconds:g} s") from None
        except httpx.HTTPError as cause:
            raise _Later(f"{self._shown} cannot be reached: {type(cause).__name__}") from None
        except Exception as cause:  # a library's own words may hold the address, and whoever reads them next prints it
            why = redact(f"{type(cause).__name__}: {cause}", _secrets(self._url))
            raise Unavailable(f"{self._shown} cannot be told: {why}") from None
        if response.status_code >= 500 or response.status_code == LATER:
            raise _Later(f"{self._shown} answered {response.status_code}")
        if not response.is_success:
            raise Unavailable(f"{self._shown} does not take the notice: it answered {response.status_code}")

    def _request(self, notice: Notice) -> httpx.Request:
        patience = {"timeout": httpx.Timeout(self._timeout_seconds).as_dict()}
        request = httpx.Request("POST", self._url, json=asdict(notice), extensions=patience)
        if self._url.userinfo:
            return next(httpx.BasicAuth(self._url.username, self._url.password).auth_flow(request))
        return request


def parsed(url: str) -> httpx.URL:
    """A webhook's address.

    Raises:
        Refused: it is none
    """
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host or not 0 < (address.port or 80) < 2**16:
        raise Refused("the address of a webhook cannot be used; right would be https://host/path")
    return address


def _secrets(url: httpx.URL) -> Iterator[str]:
    """All of an address but its scheme and host: any part may be what opens it."""
    yield str(url)
    yield url.raw_path.decode("ascii")
    yield from (url.password, *url.params.values(), *url.path.split("/"))
    yield b64encode(f"{url.username}:{url.password}".encode()).decode("ascii") if url.password else ""


def shown(url: httpx.URL) -> str:
    """Scheme, host and port: nothing that may be its secret."""
    return f"webhook {url.scheme}://{url.netloc.decode('ascii')}"

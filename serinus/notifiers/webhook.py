"""How is a service told that takes JSON over HTTP?

The address often is the secret (chat services put it into the path), so only its host is ever shown.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Self
from urllib.parse import urlsplit

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from serinus.errors import Refused, Unavailable
from serinus.ports import Notice

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
        self._shown = shown(url)
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._pause_seconds = pause_seconds
        self._client = httpx.AsyncClient(timeout=timeout_seconds, trust_env=False, follow_redirects=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

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
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._client.stream("POST", self._url, json=asdict(notice)) as response,
            ):
                status = response.status_code
        except (TimeoutError, httpx.TimeoutException):
            raise _Later(f"{self._shown} did not answer within {self._timeout_seconds:g} s") from None
        except httpx.HTTPError as cause:
            raise _Later(f"{self._shown} cannot be reached: {type(cause).__name__}") from None
        if status >= 500 or status == LATER:
            raise _Later(f"{self._shown} answered {status}")
        if not 200 <= status < 300:
            raise Unavailable(f"{self._shown} does not take the notice: it answered {status}")


def shown(url: str) -> str:
    """The host of a webhook's address, without anything that may be its secret.

    Raises:
        Refused: no address of a webhook
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable():
        raise Refused("the address of a webhook is wrong; right would be https://host/path")
    port = f":{parts.port}" if parts.port else ""
    return f"webhook {parts.scheme}://{parts.hostname}{port}"

"""A Prefect server that refuses or does not answer, as this project's errors. The only module that knows Prefect's HTTP library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect import get_client
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from serinus.errors import Refused, Unavailable
from serinus.within import within

NO_ANSWER = (OSError, TimeoutError, httpx.HTTPError)
"""What Prefect's client raises where nobody answers, its own retries being spent."""


@contextmanager
def asked(what: str, missing: str = "what was asked for is not there") -> Iterator[None]:
    """Ask a server something.

    Args:
        what: for people: `the deployments`
        missing: what it says where the server does not have it

    Raises:
        Refused: it answers, and no
        Unavailable: it does not answer
    """
    try:
        yield
    except ObjectNotFound as cause:
        raise Refused(missing) from cause
    except PrefectHTTPStatusError as cause:
        raise Refused(f"the Prefect server does not take {what}: {cause.response.text.strip()}") from cause
    except NO_ANSWER as cause:
        raise Unavailable(f"the Prefect server does not answer: {cause or type(cause).__name__}") from cause


async def answers(seconds: float) -> bool:
    """Whether the server that is meant answers now, within so long."""
    try:
        async with within(seconds), get_client() as client:
            return await client.api_healthcheck() is None
    except NO_ANSWER:
        return False

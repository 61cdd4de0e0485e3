"""How does a blocking call run beside the event loop without ever holding it up?

`asyncio.to_thread` cannot be used for it: a look-up of a host's name has no time-out at all, a thread that waits for one occupies
the loop's shared pool, and the interpreter waits for it at the end. These threads are forgotten when their time is over.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from serinus.errors import Unavailable
from serinus.within import within

T = TypeVar("T")


class Threads:
    """At most `most` calls at once, forgotten ones included.

    Args:
        what: whose silence it is, for the error
    """

    def __init__(self, what: str, most: int) -> None:
        self._what = what
        self._free = threading.Semaphore(most)

    async def call(self, work: Callable[[], T], seconds: float) -> T:
        """What `work` returns or raises.

        Raises:
            Unavailable: not within `seconds`, or all threads still wait for an answer that nobody expects any more
        """
        if not self._free.acquire(blocking=False):
            raise Unavailable(f"{self._what} leaves every call unanswered")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            try:
                result = work()
            except BaseException as error:
                deliver(answer.set_exception, error)
            else:
                deliver(answer.set_result, result)
            finally:
                self._free.release()

        def deliver(put: Callable[..., None], what: object) -> None:
            # The loop may be closed by now, and nobody waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(lambda: None if answer.done() else put(what))

        threading.Thread(target=run, name=f"serinus {self._what}", daemon=True).start()
        try:
            async with within(seconds):
                return await answer
        except TimeoutError:
            raise Unavailable(f"{self._what} did not answer within {seconds:g} s") from None

"""The supervisor as a process of its own: `python -m serinus.local --service shop:v1:2 [--state FOLDER]`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from serinus.errors import SerinusError
from serinus.local.service import Service, service_from
from serinus.local.supervisor import Guard, Options, up
from serinus.settings import Folders
from serinus.voice import speak


def run(folders: Folders, services: tuple[Service, ...], options: Options, guard: Guard | None) -> int:
    """The platform in the foreground, until SIGINT or SIGTERM; the exit code."""

    def say(text: str) -> None:
        speak(text, sys.stderr)

    async def until_told() -> None:
        loop = asyncio.get_running_loop()
        running = asyncio.ensure_future(up(folders, services, options, guard, say))
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)
        await asyncio.wait((running,))
        if not running.cancelled():
            running.result()

    try:
        asyncio.run(until_told())
    except SerinusError as problem:
        say(f"serinus local: {problem}")
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m serinus.local", description=__doc__)
    parser.add_argument(
        "--service", action="append", required=True, help="name[:version[:replicas[:port]]]; again for more"
    )
    parser.add_argument("--state", type=Path, help="the state folder; default: SERINUS_STATE, else .serinus")
    parser.add_argument("--scrape", type=float, default=1.0, help="seconds between two scrapes")
    parser.add_argument("--prefect-port", type=int)
    parser.add_argument("--prometheus-port", type=int)
    given = parser.parse_args()
    folders = Folders.resolve() if given.state is None else Folders.at(given.state)
    try:
        services = tuple(service_from(text) for text in given.service)
        options = Options(given.scrape, given.prefect_port, given.prometheus_port)
    except SerinusError as problem:
        parser.error(str(problem))
    return run(folders, services, options, None)


if __name__ == "__main__":
    sys.exit(main())

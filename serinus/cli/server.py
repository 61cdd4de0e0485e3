"""Which Prefect server is meant: said, or Prefect's own settings, or the local platform's; else refused. Never a server of our own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from serinus.cli.failure import Usage
from serinus.settings import Folders, Settings

NOTICES = "serinus.notice"


@dataclass(frozen=True, slots=True)
class Server:
    """One Prefect server.

    Args:
        api: its address, with `/api`
        whence: who named it, for people
    """

    api: str
    whence: str

    @property
    def ui(self) -> str:
        return self.api.removesuffix("/").removesuffix("/api")


def choose(api: str, folders: Folders) -> Server:
    """The server that is meant.

    Raises:
        Usage: none is; says which two commands help
    """
    if api or (api := Settings().api):
        return Server(api.rstrip("/"), "--api")
    from prefect.settings import get_current_settings

    if configured := get_current_settings().api.url:
        return Server(str(configured).rstrip("/"), "Prefect's settings")
    from serinus.local.platform import read_platform

    if local := read_platform(folders):
        return Server(local.prefect_api.rstrip("/"), f"the local platform in {folders.state}")
    raise Usage(
        f"No Prefect server is named, and no platform runs in {folders.state}. Either `serinus local up` (a platform on this machine;"
        " of one in another folder, export the PREFECT_API_URL that `serinus local status` says there) or "
        "`prefect config set PREFECT_API_URL=http://HOST:4200/api` (yours); `--api URL` names one for this command alone."
    )


@contextmanager
def connected(server: Server) -> Iterator[None]:
    """Prefect's client means this server in here."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: server.api}):
        yield


@contextmanager
def quiet(note: Callable[[str], None]) -> Iterator[None]:
    """Prefect's lines leave the terminal alone until the process ends, warnings of our own are noted. To be entered after `flows` was
    imported. Of a server that is gone Prefect says several KB a queued event, in lines that no handler of its console carries; what
    its history lacks is said by the command itself.
    """
    from prefect.logging.handlers import PrefectConsoleHandler

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == NOTICES and record.levelno < logging.ERROR:
                return  # the policy's own notice of what the view shows anyway
            note(f"{record.levelname.lower()}: {record.getMessage()}")

    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    for handler in {handler for logger in (logging.root, *loggers) for handler in logger.handlers}:
        if isinstance(handler, PrefectConsoleHandler):
            handler.setLevel(logging.CRITICAL + 1)
    logging.getLogger("prefect._internal").setLevel(logging.CRITICAL + 1)
    logging.raiseExceptions = False
    noting, ours = Noting(logging.WARNING), logging.getLogger("serinus")
    ours.addHandler(noting)
    try:
        yield
    finally:
        ours.removeHandler(noting)

"""The Prefect server as one child process: its database, its environment, whether it answers."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from importlib import metadata
from pathlib import Path

import httpx

from serinus.local.addresses import LOOPBACK
from serinus.local.child import Command
from serinus.local.programs import Say, database_file, migrated_database

READ_SECONDS = 2.0


def place_database(folder: Path, say: Say) -> None:
    """A migrated database where there is none; an older one is left to the server, which migrates it."""
    database = folder / "prefect.db"
    if database.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / ".prefect.db.tmp"
    shutil.copyfile(migrated_database(say), temporary)
    temporary.replace(database)


def _made(database: Path) -> tuple[str, int]:
    """The version of its tables, and how many types of blocks it has; none where it does not tell, or only in its log."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
            [version] = connection.execute("select version_num from alembic_version").fetchone()
            [blocks] = connection.execute("select count(*) from block_type").fetchone()
            return str(version), int(blocks)
    except (sqlite3.Error, TypeError):
        return "", 0


def _prepared(folder: Path) -> bool:
    """Its database is as the prepared one: to read Prefect's migrations and make types of blocks for nothing is a fifth of a start."""
    (version, blocks), (wanted, needed) = _made(folder / "prefect.db"), _made(database_file())
    return version == wanted != "" and blocks >= needed > 0


def command(folder: Path, port: int, log: Path) -> Command:
    """One process, services inside: `prefect server start` would put a process of its own between."""
    words = (
        *(sys.executable, "-m", "uvicorn", "--factory", "serinus.local.prefect_app:create"),
        *("--host", LOOPBACK, "--port", str(port), "--log-level", "warning", "--timeout-graceful-shutdown", "1"),
    )
    return Command("prefect", words, log, environment(folder, port))


def environment(folder: Path, port: int) -> dict[str, str]:
    """The server's; nothing of the user's own Prefect settings reaches it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    lacks = "false" if _prepared(folder) else "true"
    return kept | {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
        "PREFECT_UI_API_URL": f"http://{LOOPBACK}:{port}/api",
        "PREFECT_SERVER_API_HOST": LOOPBACK,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_API_DATABASE_MIGRATE_ON_START": lacks,
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": lacks,
        # Else it imports every collection, to see whether there are blocks that it did not register last time.
        "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # A 503 of SQLite is retried by the client; without this nobody could see that it happened.
        "PREFECT_SERVER_LOG_RETRYABLE_ERRORS": "true",
        "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
        "DO_NOT_TRACK": "1",
    }


async def answers(client: httpx.AsyncClient, api: str) -> bool:
    """It is healthy, and it is of the version that is installed here."""
    try:
        health = await client.get(f"{api}/health", timeout=READ_SECONDS)
        version = await client.get(f"{api}/admin/version", timeout=READ_SECONDS)
        return health.json() is True and version.json() == metadata.version("prefect")
    except (httpx.HTTPError, ValueError):
        return False

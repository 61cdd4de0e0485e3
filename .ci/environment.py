"""Where does this checkout's `.venv` come from, on a machine with Python and nothing else of ours?

    python3 .ci/environment.py          make .venv what uv.lock says; where it is so already, nothing, and no network
    python3 .ci/environment.py uv ...   run uv

uv is taken from PATH, else from `.cache`, else installed there by pip; pip is the interpreter's own, else the wheel
that Python or Debian keeps for new environments, else that wheel fetched from Debian without root. No index is named
here: pip's settings are read, and uv is told them. It runs on any Python 3, to say what is missing; the environment
itself takes 3.11 to 3.13. uv's own variables hold: UV_PROJECT_ENVIRONMENT is another place, UV_PYTHON another Python.
"""

from __future__ import annotations

import configparser
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

UV = "0.13.9"
OLDEST_UV = (0, 8)
PYTHONS = "Python 3.11, 3.12 or 3.13"
ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
VENV = ROOT / (os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv")
STAMP = VENV / ".in-sync-with"
DEBIAN_WHEELS = Path("/usr/share/python-wheels")


class Missing(Exception):
    """Something this machine has not; the text says what would help."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(command: list[str], **options: object) -> None:
    """Run, or end with the command's own code: it has said why."""
    done = subprocess.run(command, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise SystemExit(done.returncode)


def pip_settings() -> dict[str, str]:
    """What pip is told, by its files and then by its environment; pip itself need not be there."""
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf"]
    files += [Path(os.environ["PIP_CONFIG_FILE"])] if os.environ.get("PIP_CONFIG_FILE") else []
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(files)
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    found.update({k[4:].lower().replace("_", "-"): v for k, v in os.environ.items() if k.startswith("PIP_") and v})
    return found


def uv_settings() -> dict[str, str]:
    """The environment for uv: what the user told it, else what the user told pip; never a Python of its own."""
    pip = pip_settings()
    told = {
        "UV_DEFAULT_INDEX": os.environ.get("UV_INDEX_URL") or pip.get("index-url", ""),
        "UV_INDEX": pip.get("extra-index-url", ""),
        "SSL_CERT_FILE": pip.get("cert", ""),
        "ALL_PROXY": pip.get("proxy", ""),
        "UV_INSECURE_HOST": pip.get("trusted-host", ""),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PROJECT_ENVIRONMENT": str(VENV),
    }
    kept = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "UV_INDEX_URL")}
    return {**{key: value for key, value in told.items() if value}, **kept}


def find_uv() -> str:
    """The path of a uv that can read our lock."""
    own = CACHE / ("uv-" + UV) / "bin" / "uv"
    for candidate in (shutil.which("uv"), str(own)):
        if candidate and works(candidate):
            return candidate
    say(f"uv is not here: installing uv {UV} into .cache, with pip.")
    partial = CACHE / ("uv-" + UV + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    run([*pip(), "install", "-q", "--no-deps", "--no-warn-script-location", "--target", str(partial), "uv==" + UV])
    shutil.rmtree(own.parent.parent, ignore_errors=True)
    partial.rename(own.parent.parent)
    return str(own)


def works(uv: str) -> bool:
    """It starts (a shim may not) and is new enough."""
    try:
        said = subprocess.run([uv, "--version"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.match(r"uv (\d+)\.(\d+)", said)
    return bool(version) and tuple(int(part) for part in version.groups()) >= OLDEST_UV  # type: ignore[union-attr]


def pip() -> list[str]:
    """How to call a pip that needs no environment and no root."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    wheel = kept_wheel() or debian_wheel()
    return [sys.executable, str(wheel / "pip")]


def kept_wheel() -> Path | None:
    """pip's wheel, as Python or Debian keeps it for `venv`."""
    ensurepip = importlib.util.find_spec("ensurepip")
    places = [Path(ensurepip.origin).parent / "_bundled"] if ensurepip and ensurepip.origin else []
    wheels = [wheel for place in [*places, DEBIAN_WHEELS] for wheel in sorted(place.glob("pip-*.whl"))]
    return wheels[-1] if wheels else None


def debian_wheel() -> Path:
    """pip's wheel from Debian's package, unpacked into the cache: no root, nothing of the system's is written."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Missing("pip is not here, and no apt-get to fetch it with; install pip or uv and start again.")
    say("pip is not here either: fetching its wheel (package python3-pip-whl) from Debian into .cache, without root.")
    home = CACHE / "pip"
    for folder in ("lists/partial", "archives/partial"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::http::Timeout=20"]
    apt += ["-o", f"Dir::Cache={home}", "-o", "Dir::Cache::archives=archives/"]
    own_lists = [*apt, "-o", f"Dir::State::lists={home}/lists/"]
    fetch = [*apt, "download", "python3-pip-whl"]
    for attempt in ([fetch], [[*own_lists, "update"], [*own_lists, *fetch[len(apt) :]]]):
        done = [subprocess.run(step, cwd=home, capture_output=True, text=True) for step in attempt]
        if not done[-1].returncode:
            break
    else:
        last = ([line for step in done for line in step.stderr.splitlines() if line.strip()] or ["no reason given"])[0]
        raise Missing(f"Debian's archive did not give it ({last.strip()}); install pip or uv and start again.")
    package = sorted(home.glob("python3-pip-whl_*.deb"))[-1]
    run(["dpkg-deb", "-x", str(package), str(home)])
    return sorted((home / "usr/share/python-wheels").glob("pip-*.whl"))[-1]


def wanted() -> str:
    """What the environment depends on."""
    digest = hashlib.sha256()
    for name in ("uv.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def in_sync() -> bool:
    python = VENV / "bin" / "python"
    return python.exists() and STAMP.exists() and STAMP.read_text().split() == [wanted(), str(ROOT)]


def sync() -> None:
    """Make `.venv` what the lock says."""
    if in_sync():
        return
    uv, settings = find_uv(), uv_settings()
    asked = settings.get("UV_PYTHON")
    find = [uv, "python", "find", *([asked] if asked else [])]
    if subprocess.run(find, cwd=ROOT, env=settings, capture_output=True).returncode:
        wish = f"Python {asked}" if asked else PYTHONS
        raise Missing(f"{wish} is needed and none is on PATH; on Debian 12 and newer: apt-get install python3.")
    STAMP.unlink(missing_ok=True)
    say(f"Installing what uv.lock names into {os.path.relpath(VENV, ROOT)}.")
    index = settings.get("UV_DEFAULT_INDEX", "").rstrip("/")
    if not index or f'registry = "{index}"' in (ROOT / "uv.lock").read_text():
        run([uv, "sync", "--locked", "--quiet"], cwd=ROOT, env=settings)
    else:
        sync_from_mirror(uv, settings)
    STAMP.write_text(f"{wanted()} {ROOT}\n")


def sync_from_mirror(uv: str, settings: dict[str, str]) -> None:
    """The same versions and hashes from another index: a lock names the one it was made with, and uv holds it to that."""
    pins = CACHE / "pins.txt"
    CACHE.mkdir(exist_ok=True)
    run([uv, "export", "--frozen", "--quiet", "--output-file", str(pins)], cwd=ROOT, env=settings)
    run([uv, "venv", "--quiet", "--allow-existing", str(VENV)], cwd=ROOT, env=settings)
    there = {**settings, "VIRTUAL_ENV": str(VENV)}
    run([uv, "pip", "sync", "--quiet", str(pins)], cwd=ROOT, env=there)


def main(arguments: list[str]) -> None:
    try:
        if arguments[:1] == ["uv"]:
            uv = find_uv()
            os.execve(uv, [uv, *arguments[1:]], uv_settings())
        elif arguments:
            raise Missing("usage: environment.py [uv ...]")
        sync()
    except Missing as missing:
        say(str(missing))
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main(sys.argv[1:])

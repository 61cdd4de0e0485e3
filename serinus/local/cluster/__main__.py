"""A cluster by hand: build its programs, start it, run a command inside its network namespace.

python -m serinus.local.cluster build [SET ...]            what `up` needs (kubernetes, contour), or those named (flagger)
python -m serinus.local.cluster up [--folder DIR]          start one; Ctrl-C ends it
python -m serinus.local.cluster exec [--folder DIR] CMD... a command inside a running one, with KUBECONFIG set
python -m serinus.local.cluster outside [--folder DIR]     until Ctrl-C: ports of 127.0.0.1 that lead in, and a kubeconfig for them
python -m serinus.local.cluster run CMD...                 a command that may enter namespaces: pytest, where you are not root
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path

from serinus.errors import Refused, SerinusError
from serinus.local.cluster import namespace, relay
from serinus.local.cluster.cluster import FOREIGN, RUNNING, Cluster, read
from serinus.local.cluster.programs import CONTOUR, KUBERNETES, SETS, ToolSet, build
from serinus.local.cluster.toolchain import ROOT
from serinus.local.cluster.up import up
from serinus.voice import speak

FOLDER = ROOT / ".cache" / "cluster"
NEEDED = (KUBERNETES, CONTOUR)
INSIDE = "--inside"
"""This process is already in the cluster's namespace."""


def say(text: str) -> None:
    speak(f"cluster: {text}", sys.stderr)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serinus.local.cluster", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    building = verbs.add_parser("build", help="build the programs")
    building.add_argument("sets", nargs="*", type=tool_set, metavar="SET", help=", ".join(SETS))
    starting = verbs.add_parser("up", help="start a cluster")
    starting.add_argument("--folder", type=Path, default=FOLDER, help="where its files lie (default: .cache/cluster)")
    starting.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    executing = verbs.add_parser("exec", help="run a command inside a running cluster")
    executing.add_argument("--folder", type=Path, default=FOLDER)
    executing.add_argument("command", nargs=argparse.REMAINDER)
    leading = verbs.add_parser("outside", help="lead into a running cluster from outside its namespace")
    leading.add_argument("--folder", type=Path, default=FOLDER)
    running = verbs.add_parser("run", help="run a command that may enter network namespaces")
    running.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args()


def tool_set(name: str) -> ToolSet:
    if name not in SETS:
        raise argparse.ArgumentTypeError(f"there is no set {name}, only {', '.join(SETS)}")
    return SETS[name]


def allowed() -> None:
    reason = namespace.why_not()
    if reason is not None:
        raise Refused(reason)


def prepare(sets: list[ToolSet]) -> None:
    """Build these; none named: what a cluster needs, unless the user has one or none can run here."""
    if not sets and elsewhere():
        return
    if not sets:
        allowed()
    build(sets or NEEDED, say)


def run(command: list[str]) -> None:
    if not command:
        raise Refused("name a command: `python -m serinus.local.cluster run pytest ...`")
    if not elsewhere():
        allowed()
        command = list(namespace.privileged(command))
    if shutil.which(command[0]) is None:
        raise Refused(f"{command[0]} is no program that can be run: neither on PATH nor a file here")
    os.execvp(command[0], command)


def elsewhere() -> bool:
    """The tests' cluster is there already."""
    return bool(os.environ.get(FOREIGN) or os.environ.get(RUNNING))


def start(folder: Path, inside: bool) -> None:
    """In a namespace of its own, or in the one that the caller has made."""
    if not inside:
        allowed()
        build(NEEDED, say)
        if not namespace.mighty():
            os.execvp("unshare", namespace.privileged([sys.executable, "-m", "serinus.local.cluster", *sys.argv[1:]]))
        namespace.enter()
    began = time.monotonic()

    def told(text: str) -> None:
        say(f"{time.monotonic() - began:5.1f} s  {text}")

    asyncio.run(until_told_to_end(up(folder.resolve(), told)))


async def until_told_to_end(lasting: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(lasting)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        say("ended")


async def lead_in(folder: Path) -> None:
    cluster = ready(folder)
    async with relay.outside(cluster) as urls:
        for name, url in urls.items():
            say(f"{name}: {url}")
        say(f"KUBECONFIG={cluster.folder / relay.KUBECONFIG}")
        await asyncio.Event().wait()


def ready(folder: Path) -> Cluster:
    cluster = read(folder.resolve())
    if cluster is None:
        raise Refused(f"no cluster is ready in {folder}: `python -m serinus.local.cluster up` starts one")
    return cluster


def execute(folder: Path, command: list[str]) -> None:
    cluster = ready(folder)
    os.environ |= {"KUBECONFIG": str(cluster.kubeconfig), RUNNING: str(cluster.folder)}
    os.environ["PATH"] = f"{cluster.kubectl.parent}:{os.environ.get('PATH', os.defpath)}"
    words = namespace.inside(cluster.pid, command or [os.environ.get("SHELL", "sh")])
    os.execvp(words[0], words)


def main() -> int:
    asked = arguments()
    try:
        if asked.verb == "build":
            prepare(asked.sets)
        elif asked.verb == "up":
            start(asked.folder, asked.inside)
        elif asked.verb == "exec":
            execute(asked.folder, asked.command)
        elif asked.verb == "outside":
            asyncio.run(until_told_to_end(lead_in(asked.folder)))
        elif asked.verb == "run":
            run(asked.command)
    except SerinusError as problem:
        say(str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What does a container's probe say? Asked over HTTP, TCP or by a command, and counted up to the probe's thresholds.

Who asks, when, and what follows from the answer is `container`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile

import httpx

from serinus.local.cluster.node.environment import relocated
from serinus.local.cluster.node.status import Object
from serinus.within import within

EXEC_OUTPUT_BYTES = 1_024


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe of a container, with the API's own defaults."""

    action: Object
    delay: float
    period: float
    timeout: float
    to_succeed: int
    to_fail: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What a probe has found so far.

    Args:
        says: its verdict, which holds until as many answers in a row as the threshold say otherwise
        last: the last answer
        streak: how many in a row were like it
    """

    says: bool
    last: bool = False
    streak: int = 0


@dataclass(frozen=True, slots=True)
class Where:
    """The container that is asked.

    Args:
        ports: by their name
        environment: of its commands
        mounts: path in the container to the folder or file that is there
    """

    ip: str
    ports: Mapping[str, int]
    environment: Mapping[str, str]
    mounts: Mapping[str, Path] = field(default_factory=dict)


def probe_of(container: Object, kind: str) -> Probe | None:
    """Its `readinessProbe`, `livenessProbe` or `startupProbe`; None where it has none."""
    said = container.get(kind)
    if said is None:
        return None
    return Probe(
        action=said,
        delay=said.get("initialDelaySeconds", 0),
        period=said.get("periodSeconds", 10),
        timeout=said.get("timeoutSeconds", 1),
        to_succeed=said.get("successThreshold", 1),
        to_fail=said.get("failureThreshold", 3),
    )


def counted(tally: Tally, well: bool, probe: Probe) -> Tally:
    """With one more answer."""
    streak = tally.streak + 1 if tally.streak and well == tally.last else 1
    enough = streak >= (probe.to_succeed if well else probe.to_fail)
    return replace(tally, says=well if enough else tally.says, last=well, streak=streak)


async def ask(action: Object, where: Where, timeout: float | None, client: httpx.AsyncClient) -> str:
    """Do what a probe or a lifecycle hook says; why it failed, empty where it did not."""
    try:
        async with within(timeout):
            if "httpGet" in action:
                return await _get(action["httpGet"], where, client)
            if "tcpSocket" in action:
                return await _connect(action["tcpSocket"], where)
            if "exec" in action:
                return await _run(action["exec"]["command"], where)
            if "sleep" in action:
                await asyncio.sleep(action["sleep"]["seconds"])
                return ""
    except TimeoutError:
        return f"command or request timed out after {timeout or 0:g}s"
    return f"no probe of this kind here: {', '.join(action)}"


async def _get(get: Object, where: Where, client: httpx.AsyncClient) -> str:
    scheme, path = get.get("scheme", "HTTP").lower(), "/" + get.get("path", "/").lstrip("/")
    url = f"{scheme}://{get.get('host') or where.ip}:{_port(get, where)}{path}"
    headers = {one["name"]: one["value"] for one in get.get("httpHeaders", [])}
    try:
        answer = await client.get(url, headers={"connection": "close", "user-agent": "kube-probe/1.35", **headers})
    except httpx.HTTPError as problem:
        return f'Get "{url}": {problem or type(problem).__name__}'
    return "" if 200 <= answer.status_code < 400 else f"HTTP probe failed with statuscode: {answer.status_code}"


async def _connect(socket: Object, where: Where) -> str:
    try:
        _, writer = await asyncio.open_connection(socket.get("host") or where.ip, _port(socket, where))
    except OSError as problem:
        return f"dial tcp {where.ip}: {problem}"
    writer.close()
    return ""


async def _run(words: list[str], where: Where) -> str:
    with TemporaryFile() as output:  # no pipe: whoever the command leaves behind would hold that
        try:
            process = await asyncio.create_subprocess_exec(
                *(relocated(word, where.mounts) for word in words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env=dict(where.environment),
            )
        except OSError as problem:
            return str(problem)
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        output.seek(0)
        said = output.read(EXEC_OUTPUT_BYTES).decode(errors="replace").strip()
    return "" if code == 0 else said or f"exit code {code}"


def _port(action: Object, where: Where) -> int:
    port = action["port"]
    return where.ports.get(port, 0) if isinstance(port, str) else int(port)

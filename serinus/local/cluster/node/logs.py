"""What has a container written? The kubelet's own API, as far as `kubectl logs` and `pods/log` need it.

The API server asks it at the node's address and port. Of `pods/log`'s options these are honoured: `previous`, `tailLines`,
`limitBytes` and `follow`; the lines have no times, so `sinceSeconds`, `sinceTime` and `timestamps` are refused.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections import deque
from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serinus.local.cluster.node.container import Life
from serinus.local.cluster.node.status import Container, Waiting

FOLLOW_SECONDS = 0.1
UNKNOWN = ("sinceSeconds", "sinceTime", "timestamps")
PULLING = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
VALID_DAYS = 365

Find = Callable[[str, str, str], Life | None]
"""Namespace, pod and container."""


async def serve(find: Find, address: str, port: int, folder: Path) -> web.AppRunner:
    """Until the runner is cleaned up.

    Raises:
        OSError: nothing can listen there
    """

    async def logs(request: web.Request) -> web.StreamResponse:
        names = request.match_info
        life = find(names["namespace"], names["pod"], names["container"])
        if life is None:
            raise web.HTTPNotFound(text=f'container "{names["container"]}" of pod "{names["pod"]}" is not on this node')
        return await _answered(request, life)

    async def well(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    application = web.Application()
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", logs)
    application.router.add_get("/healthz", well)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, address, port, ssl_context=_identity(address, folder)).start()
    return runner


def lines(path: Path, count: int | None) -> bytes:
    """The last ones of a log; all where no count is given."""
    with path.open("rb") as file:
        return file.read() if count is None else b"".join(deque(file, count))


def which(known: Container, previous: bool) -> int | None:
    """Whose log is meant, by the restarts before it: that of a waiting container's last life is both this and the previous one."""
    waiting = isinstance(known.state, Waiting)
    if known.last is None and (previous or waiting):
        return None
    return known.restarts - (previous and not waiting)


async def _answered(request: web.Request, life: Life) -> web.StreamResponse:
    asked = request.query
    refused = [name for name in UNKNOWN if asked.get(name) not in (None, "false")]
    if refused:
        raise web.HTTPBadRequest(text=f"this node keeps no times: {', '.join(refused)} cannot be asked")
    restarts = which(life.known, asked.get("previous") == "true")
    path = life.log(restarts or 0)
    if restarts is None or not path.exists():
        raise web.HTTPBadRequest(text=_nothing(request, life))
    try:
        count, limit = (int(asked[name]) if name in asked else None for name in ("tailLines", "limitBytes"))
    except ValueError as problem:
        raise web.HTTPBadRequest(text=str(problem)) from problem
    response = web.StreamResponse(headers={"content-type": "text/plain"})
    await response.prepare(request)
    said = path.stat().st_size
    await response.write((await asyncio.to_thread(lines, path, count))[:limit])
    while asked.get("follow") == "true" and life.known.running and life.known.restarts == restarts:
        await asyncio.sleep(FOLLOW_SECONDS)
        with path.open("rb") as file:
            file.seek(said)
            more = file.read()
        said += len(more)
        await response.write(more)
    return response


def _nothing(request: web.Request, life: Life) -> str:
    who = f'container "{life.name}" in pod "{request.match_info["pod"]}"'
    if request.query.get("previous") == "true":
        return f"previous terminated {who} not found"
    state = life.known.state
    reason = state.reason if isinstance(state, Waiting) else "no log yet"
    return f"{who} is waiting to start: {PULLING.get(reason, reason)}"


def _identity(address: str, folder: Path) -> ssl.SSLContext:
    """A certificate of its own: the API server checks a kubelet's only where it is told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{address}")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "kubelet.pem"
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context

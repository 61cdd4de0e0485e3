"""Servers that demand something, or behave badly: a Prometheus without PromQL, and a proxy before it."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = 1_800_000_000.0
EDGES = ("100", "500", "2000")


def answer(result: list[Any], **more: Any) -> bytes:
    """A successful answer with an instant vector."""
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **more}).encode()


def part(figure: str, value: float | str, **labels: str) -> dict[str, Any]:
    """One series of it."""
    return {"metric": {"figure": figure, **labels}, "value": [NOW, str(value)]}


def a_reading(requests: float | str = 100) -> list[Any]:
    """What `questions.everything` gets of one Envoy with both arms."""
    where = {"instance": "envoy:9901"}
    arms = [
        part(f"{arm} {figure}", value, **where)
        for arm in ("canary", "stable")
        for figure, value in (("at", NOW - 0.4), ("requests", requests), ("timed", requests))
    ]
    within = [part(f"{arm} within", requests, le=le, **where) for arm in ("canary", "stable") for le in EDGES]
    return [part("now", NOW), part("up", 1, **where), *arms, *within]


class Asked(BaseHTTPRequestHandler):
    """One request; `server.behave` answers it."""

    server: Demanding
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.seen.append((self.path, dict(self.headers.items())))
        self.server.arrived.release()
        self.server.behave(self)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with self.server.lock:
            self.server.bodies.append(body)
        self.do_GET()

    def do_CONNECT(self) -> None:
        self.do_GET()

    @property
    def query(self) -> str:
        return parse_qs(urlsplit(self.path).query).get("query", [""])[0]

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Demanding(ThreadingHTTPServer):
    """A server of the test's own; `seen` holds every request's path and headers."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, behave: Callable[[Asked], None], context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.behave = behave
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.bodies: list[bytes] = []
        self.lock = threading.Lock()
        self.arrived = threading.Semaphore(0)
        """Once for every request."""
        self.released = threading.Event()
        """Set when the test is over: whatever hangs may go."""
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that gave up is no news."""


@contextmanager
def serving(behave: Callable[[Asked], None], context: ssl.SSLContext | None = None) -> Iterator[Demanding]:
    with Demanding(behave, context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()


def good(asked: Asked) -> None:
    asked.say(200, answer(a_reading()))


def if_it_has(demanded: Mapping[str, str], then: Callable[[Asked], None] = good) -> Callable[[Asked], None]:
    """Answers only who sends these headers."""

    def behave(asked: Asked) -> None:
        missing = [name for name, value in demanded.items() if asked.headers.get(name) != value]
        if missing:
            asked.say(401, f"{missing[0]} is not as it must be".encode())
        else:
            then(asked)

    return behave


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def forward(asked: Asked) -> None:
    """What a proxy does: fetch an absolute address, or tunnel."""
    if asked.command == "CONNECT":
        _tunnel(asked)
        return
    there = urlsplit(asked.path)
    with socket.create_connection((there.hostname or "", there.port or 80), timeout=5) as onward:
        kept = "".join(f"{k}: {v}\r\n" for k, v in asked.headers.items() if not k.lower().startswith("proxy-"))
        path = asked.path.partition(there.netloc)[2]
        onward.sendall(f"GET {path} HTTP/1.1\r\n{kept}Via: 1.1 test\r\nConnection: close\r\n\r\n".encode())
        while piece := onward.recv(65536):
            asked.wfile.write(piece)
    asked.close_connection = True


def _tunnel(asked: Asked) -> None:
    host, _, port = asked.path.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as onward:
        asked.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=_pump, args=(onward, asked.connection), daemon=True)
        back.start()
        _pump(asked.connection, onward)
        back.join(5)
    asked.close_connection = True


def _pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while piece := one.recv(65536):
            other.sendall(piece)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def own_ca(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A CA's certificate, and a server's context with one that it signed for 127.0.0.1."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA of the test")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "prometheus")])
    is_ca = x509.BasicConstraints(ca=True, path_length=None)
    # Python 3.13 verifies strictly (RFC 5280): both critical, and a CA that may sign.
    signs = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    ca = _certificate(ca_name, ca_name, ca_key, ca_key, is_ca, signs)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = _certificate(name, ca_name, key, ca_key, address)
    pem = serialization.Encoding.PEM
    ca_file, server_file = folder / "ca.pem", folder / "server.pem"
    ca_file.write_bytes(ca.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server_file.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file)
    return ca_file, context


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    today = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for extension in extensions:
        critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256())

"""Who may speak to the API server, and how? Its key, the tokens of its own parts, and files for clients."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

VALID_BEFORE, VALID_AFTER = timedelta(hours=1), timedelta(days=30)
MASTERS = "system:masters"
USERS = ("admin", "kube-controller-manager", "kube-scheduler", "contour", "prometheus", "node")
"""Each speaks with a token of its own, so that the server's audit and field managers tell them apart."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files of one cluster's."""

    folder: Path
    server: str

    @property
    def signing_key(self) -> Path:
        """What signs the tokens of service accounts."""
        return self.folder / "service-accounts.key"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.csv"

    @property
    def certificates(self) -> Path:
        """Where the API server looks for its own certificate, which is its clients' authority as well."""
        return self.folder / "certificates"

    @property
    def authority(self) -> Path:
        return self.certificates / "apiserver.crt"

    def kubeconfig(self, user: str) -> Path:
        return self.folder / ("kubeconfig" if user == "admin" else f"{user}.kubeconfig")


def write(folder: Path, server: str) -> Credentials:
    """All of them, new."""
    made = Credentials(folder, server)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    made.certificates.mkdir(exist_ok=True)
    made.signing_key.write_bytes(_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    _write_certificate(made.certificates)
    tokens = {user: secrets.token_hex(16) for user in USERS}
    made.tokens.write_text("".join(f'{token},{user},{user},"{MASTERS}"\n' for user, token in tokens.items()))
    for user, token in tokens.items():
        write_kubeconfig(made, made.kubeconfig(user), user, token)
    return made


def write_kubeconfig(credentials: Credentials, path: Path, user: str, token: str, namespace: str = "default") -> None:
    """A kubeconfig of one user's. JSON, which is YAML."""
    cluster = {"server": credentials.server, "certificate-authority": str(credentials.authority)}
    context = {"cluster": "serinus", "user": user, "namespace": namespace}
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "serinus", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "serinus", "context": context}],
        "current-context": "serinus",
    }
    path.write_text(json.dumps(whole, indent=1))
    path.chmod(0o600)


def _write_certificate(folder: Path) -> None:
    """Made before the server starts, so that its clients can be started with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "serinus-tests")])
    now = datetime.now(UTC)
    names = [
        x509.IPAddress(IPv4Address("127.0.0.1")),
        *(x509.DNSName(one) for one in ("localhost", "kubernetes.default.svc")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - VALID_BEFORE)
        .not_valid_after(now + VALID_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "apiserver.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "apiserver.key").write_bytes(_pem(key))


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    traditional, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, traditional, plain)

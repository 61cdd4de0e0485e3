"""Who may speak to the API server, and how? Its key, the tokens of its own parts, and files for clients."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

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
        """Where the API server makes its own certificate when it starts; that is its clients' authority as well."""
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
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made.signing_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
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

"""What may a test do in its own Kubernetes namespace? Everything, through kubectl; and act as a service account."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus.errors import Unavailable
from serinus.local.cluster.cluster import Cluster

SECONDS = 30.0
TOKEN_LASTS = "1h"


@dataclass(frozen=True, slots=True)
class Access:
    """One namespace of a cluster's.

    Args:
        kubeconfig: whose rights these are
    """

    cluster: Cluster
    namespace: str
    kubeconfig: Path

    @classmethod
    def of(cls, cluster: Cluster, namespace: str) -> Access:
        return cls(cluster, namespace, cluster.kubeconfig)

    @staticmethod
    def server_of(kubeconfig: Path, kubectl: str) -> str:
        """Where that file says that the API server is."""
        words = [kubectl, f"--kubeconfig={kubeconfig}", "config", "view", "--minify", "-o=json"]
        whole = json.loads(_run(words, None))
        return str(whole["clusters"][0]["cluster"]["server"])

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """What kubectl prints.

        Raises:
            Unavailable: it failed; its own words say why
        """
        whole = [str(self.cluster.kubectl), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *words]
        return _run(whole, given)

    def create(self) -> None:
        self.kubectl("create", "namespace", self.namespace)

    def delete(self) -> None:
        """Begin to; nobody waits for its end."""
        self.kubectl("delete", "namespace", self.namespace, "--wait=false", "--ignore-not-found")

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """As a person does who keeps the whole of them in a file."""
        self.kubectl("apply", "--validate=false", "-f", "-", given=_list(objects))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o=json"))
        return found

    def as_account(self, account: str, folder: Path) -> Access:
        """The same namespace with the rights of this service account, by a token of the TokenRequest API."""
        token = self.kubectl("create", "token", account, f"--duration={TOKEN_LASTS}").strip()
        file = folder / f"{account}.kubeconfig"
        admin = json.loads(
            _run(
                [str(self.cluster.kubectl), f"--kubeconfig={self.kubeconfig}", "config", "view", "--raw", "-o=json"],
                None,
            )
        )
        used = next(one for one in admin["contexts"] if one["name"] == admin["current-context"])["context"]
        context = {"name": account, "context": {**used, "user": account, "namespace": self.namespace}}
        user = {"name": account, "user": {"token": token}}
        file.write_text(json.dumps({**admin, "users": [user], "contexts": [context], "current-context": account}))
        file.chmod(0o600)
        return Access(self.cluster, self.namespace, file)


def _list(objects: tuple[Mapping[str, Any], ...]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def _run(words: list[str], given: str | None) -> str:
    # It goes again at once: what it looks for garbage is a quarter of what it computes, a thousand times.
    environment = os.environ | {"GOGC": "off"}
    done = subprocess.run(
        words, input=given, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        verb = next((word for word in words[1:] if not word.startswith("--")), words[0])
        raise Unavailable(f"`kubectl {verb}` failed: {done.stderr.strip()[-600:]}")
    return done.stdout

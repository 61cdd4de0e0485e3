"""How does traffic come in? A real Contour tells a real Envoy; HTTPProxies and the Gateway API alike."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from serinus.errors import Unavailable
from serinus.local.child import Command
from serinus.local.cluster.control_plane import LOOPBACK
from serinus.local.cluster.credentials import Credentials
from serinus.local.cluster.programs import program
from serinus.local.programs import envoy

ADDRESS = "10.244.250.1"
"""Envoy's, among the pods' addresses but never a pod's."""
XDS, STATS, HEALTH, DEBUG = 8001, 8005, 8000, 6060
GATEWAY_NAMESPACE, GATEWAY = "default", "gw"
PORT = 8080
"""Where Contour serves a listener on port 80 of a Gateway, as it adds 8000 to privileged ports; HTTPProxies as well then."""
NOT_STANDARD = ("tlsroutes", "tcproutes", "backendtlspolicies")
"""Kinds that are not in the Gateway API's standard set: Contour must not wait for them."""
BOOTSTRAP_SECONDS = 10.0
FLUSH = "0.5s"
"""How often histograms are merged. Prometheus looks each second here: with Envoy's own 5 s a phase begins without a latency."""


def contour(credentials: Credentials, folder: Path, logs: Path) -> Command:
    settings = folder / "contour.json"
    settings.write_text(json.dumps({"gateway": {"gatewayRef": {"namespace": GATEWAY_NAMESPACE, "name": GATEWAY}}}))
    words = (
        str(program("contour")),
        "serve",
        f"--config-path={settings}",
        f"--kubeconfig={credentials.kubeconfig('contour')}",
        "--insecure",
        f"--xds-address={LOOPBACK}",
        f"--xds-port={XDS}",
        f"--envoy-service-http-address={ADDRESS}",
        f"--envoy-service-http-port={PORT}",
        f"--envoy-service-https-address={ADDRESS}",
        f"--http-address={LOOPBACK}",
        f"--http-port={HEALTH}",
        f"--health-address={LOOPBACK}",
        f"--health-port={HEALTH}",
        f"--stats-address={LOOPBACK}",
        f"--stats-port={STATS}",
        f"--debug-http-port={DEBUG}",
        "--disable-leader-election",
        "--kubernetes-client-qps=100",
        "--kubernetes-client-burst=200",
        *(f"--disable-feature={kind}" for kind in NOT_STANDARD),
    )
    return Command("contour", words, logs / "contour.log")


def write_bootstrap(folder: Path) -> Path:
    """What tells Envoy where Contour is.

    Raises:
        Unavailable: Contour did not write it
    """
    file = folder / "envoy.json"
    command = [
        str(program("contour")),
        "bootstrap",
        str(file),
        f"--xds-address={LOOPBACK}",
        f"--xds-port={XDS}",
        f"--admin-address={admin(folder)}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOOTSTRAP_SECONDS, check=False)
    if done.returncode:
        raise Unavailable(f"`contour bootstrap` failed: {done.stderr.strip()[-400:]}")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"stats_flush_interval": FLUSH}))
    return file


def admin(folder: Path) -> Path:
    """The socket on which Envoy can be asked and told."""
    return folder / "envoy.sock"


def proxy(folder: Path, logs: Path) -> Command:
    words = (
        str(envoy()),
        *("--config-path", str(write_bootstrap(folder))),
        *("--service-node", "serinus"),
        *("--service-cluster", "projectcontour"),
        *("--concurrency", "1"),
        *("--log-level", "warning"),
        "--disable-hot-restart",
    )
    return Command("envoy", words, logs / "envoy.log")

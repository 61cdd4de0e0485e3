"""How is each part of the control plane started? etcd, the API server with RBAC, the controllers, the scheduler."""

from __future__ import annotations

import os
from pathlib import Path

from serinus.local.child import Command
from serinus.local.cluster import audit
from serinus.local.cluster.credentials import Credentials
from serinus.local.cluster.programs import program

LOOPBACK = "127.0.0.1"
ETCD, ETCD_PEERS, API = 2379, 2380, 6443
"""Fixed: the namespace is this cluster's alone."""
ADVERTISED = "10.243.0.1"
SERVICES = "10.96.0.0/16"
CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "daemonset-controller",
    "endpointslice-controller",
    "endpoints-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "resourcequota-controller",
    "disruption-controller",
    "horizontal-pod-autoscaler-controller",
    "job-controller",
    "cronjob-controller",
    "serviceaccount-controller",
    "clusterrole-aggregation-controller",
    "root-ca-certificate-publisher-controller",
)

HEAP = "400"
"""GOGC, where nobody has set it: a heap is swept when it holds five times what lives, for a sixth less of the API server's
work and some 100 MB more of memory."""


def etcd(data: Path, logs: Path) -> Command:
    clients, peers = f"http://{LOOPBACK}:{ETCD}", f"http://{LOOPBACK}:{ETCD_PEERS}"
    words = (
        str(program("etcd")),
        f"--data-dir={data / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        # What it holds is worth nothing after this cluster's end.
        "--unsafe-no-fsync",
        "--log-level=warn",
    )
    return _part("etcd", words, logs)


def api_server(credentials: Credentials, logs: Path) -> Command:
    words = (
        str(program("kube-apiserver")),
        f"--etcd-servers=http://{LOOPBACK}:{ETCD}",
        f"--secure-port={API}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={ADVERTISED}",
        f"--cert-dir={credentials.certificates}",
        f"--service-account-key-file={credentials.signing_key}",
        f"--service-account-signing-key-file={credentials.signing_key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=RBAC",
        f"--token-auth-file={credentials.tokens}",
        f"--service-cluster-ip-range={SERVICES}",
        "--endpoint-reconciler-type=none",
        # Pods get no token mounted, and the node is ready when it says so.
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
        *audit.words(credentials.folder, logs),
    )
    return _part("kube-apiserver", words, logs)


def controller_manager(credentials: Credentials, logs: Path) -> Command:
    words = (
        str(program("kube-controller-manager")),
        f"--kubeconfig={credentials.kubeconfig('kube-controller-manager')}",
        f"--root-ca-file={credentials.authority}",
        "--leader-elect=false",
        f"--controllers={','.join(CONTROLLERS)}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--secure-port=0",
    )
    return _part("kube-controller-manager", words, logs)


def scheduler(credentials: Credentials, logs: Path) -> Command:
    words = (
        str(program("kube-scheduler")),
        f"--kubeconfig={credentials.kubeconfig('kube-scheduler')}",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--secure-port=0",
    )
    return _part("kube-scheduler", words, logs)


def _part(name: str, words: tuple[str, ...], logs: Path) -> Command:
    return Command(name, words, logs / f"{name}.log", {"GOGC": HEAP, **os.environ})

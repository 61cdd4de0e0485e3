"""Which cluster is meant, and how is it reached? By a kubeconfig, or as the pod that we run in.

Proxies come from the kubeconfig alone, never from the environment.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import KUBE_CONFIG_DEFAULT_LOCATION, load_incluster_config
from kubernetes.aio.config.kube_config import KubeConfigMerger

from serinus.errors import Refused
from serinus.kube.client import Kube
from serinus.kube.kubeconfig import Kubeconfig
from serinus.kube.names import SERINUS
from serinus.kube.wire import CALL_SECONDS, CREDENTIAL_SECONDS, as_go
from serinus.within import within

_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


async def connect(kubeconfig: str = "", context: str = "", namespace: str = "", seconds: float = CALL_SECONDS) -> Kube:
    """The cluster meant: of the kubeconfig given or named by `KUBECONFIG`, else that of the pod we run in, else of `~/.kube/config`.

    Args:
        kubeconfig: a path, or several with colons as `KUBECONFIG` has them
        context: of the kubeconfig; default: its current one
        namespace: default: the context's, the pod's, else `default`

    Raises:
        Refused: there is none, or it cannot be read
    """
    which, in_pod = _meant(kubeconfig)
    if not in_pod and not _some_file(which):
        wanted = f" to find context {context} in" if context else ""
        why = f"there is no kubeconfig at {which}{wanted}, and this is no pod"
        raise Refused(why, "say which cluster is meant: export KUBECONFIG=FILE")
    configuration = Configuration()
    configuration.client_session_kwargs = {"trust_env": False, "middlewares": (as_go,)}
    credentials, here = None, ""
    try:
        if in_pod:
            load_incluster_config(client_configuration=configuration)
            here = _pod_namespace()
        else:
            credentials = Kubeconfig(which, context)
            async with within(CREDENTIAL_SECONDS):
                here = await credentials.load(configuration)
    except Exception as cause:  # see `Kubeconfig`
        if absent := "" if in_pod else _absent(which, context):
            raise Refused(absent) from cause
        where = "the service account of this pod" if in_pod else which
        raise Refused(f"{where} names no cluster that can be used: {cause or type(cause).__name__}") from cause
    api = ApiClient(configuration)
    api.user_agent = SERINUS
    return Kube(api, namespace or here or "default", seconds, credentials)


def known() -> bool:
    """Whether anything says which cluster is meant where nobody names a kubeconfig."""
    which, in_pod = _meant("")
    return in_pod or _some_file(which)


def _meant(kubeconfig: str) -> tuple[str, bool]:
    """The kubeconfig, and whether the pod's own cluster is meant instead."""
    named = kubeconfig or os.environ.get("KUBECONFIG", "")
    return named or KUBE_CONFIG_DEFAULT_LOCATION, not named and bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


def _absent(paths: str, context: str) -> str:
    """That no such context is in these files, and which are; empty where that is not what is wrong with them."""
    with suppress(Exception):  # whatever else is wrong with them is said by who failed to load them
        merged = KubeConfigMerger(paths).config.value
        wanted = context or merged.get("current-context") or ""
        there = [str(one["name"]) for one in merged["contexts"]]
        if there and wanted not in there:
            what = f"has no context {wanted}" if wanted else "has no current context"
            return f"{paths} {what}: it has {', '.join(there)}"
    return ""


def _some_file(paths: str) -> bool:
    return any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep))


def _pod_namespace() -> str:
    return _POD.read_text().strip() if _POD.is_file() else ""

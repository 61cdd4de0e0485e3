"""What a kubeconfig gives one context; read anew where a token is no longer accepted, as somebody may have renewed it there."""

from __future__ import annotations

from typing import Any

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.kube_config import KubeConfigLoader, KubeConfigMerger

_TOKEN = "BearerToken"


class Kubeconfig:
    """Address and credentials of one context. For most of what can be wrong with such files its loader has no error of its own.

    Args:
        paths: of the files, with colons between them
        context: empty: the one that is current when they are first read
    """

    def __init__(self, paths: str, context: str) -> None:
        self._paths = paths
        self._context = context
        self._read: object = None
        self._loader: Any = None

    async def load(self, configuration: Configuration) -> str:
        """All that is said of the context; returns its namespace, empty where it has none."""
        read = KubeConfigMerger(self._paths)
        if self._loader is None or read.config_saved != self._read:
            self._loader = KubeConfigLoader(read.config, self._context or None, config_base_path=None)
            self._context = self._loader.current_context["name"]
            self._read = read.config_saved
        # Files that are as they were: what an identity provider has renewed since is known to their loader alone.
        await self._loader.load_and_set(configuration)
        if _TOKEN in configuration.api_key:  # a file with a token often ends its line, and no header may
            configuration.api_key[_TOKEN] = configuration.api_key[_TOKEN].strip()
        return self._loader.current_context["context"].get("namespace") or ""

    async def renew(self, configuration: Configuration) -> None:
        """Another token, for the server that was meant at first: a release does not move to another cluster."""
        renewed = Configuration()
        await self.load(renewed)
        if renewed.host != configuration.host:
            raise ConfigException(f"its context {self._context} leads to {renewed.host} by now")
        configuration.api_key.update(renewed.api_key)

"""A real, disposable Kubernetes control plane without containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cluster import DevCluster as DevCluster
    from .cluster import Status as Status
    from .errors import DevClusterError as DevClusterError
    from .settings import Pool as Pool
    from .settings import Settings as Settings

_HOMES = {
    "DevCluster": "cluster",
    "Status": "cluster",
    "DevClusterError": "errors",
    "Pool": "settings",
    "Settings": "settings",
}


def __getattr__(name: str) -> Any:
    """Imports on first use: the pytest plugin in this package is loaded in every run and must cost nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)

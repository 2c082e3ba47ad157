"""Reads kubeconfigs with the client library, except for what OpenID providers need."""

import os
import tempfile
import time
from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from common.kube import client_library
from common.kube.oidc import expired, refreshed


async def load_kubeconfig(files: str, context: str | None, configuration: Any) -> Any:
    """The library's loader, with its credentials set in `configuration`. Raises whatever a broken file leads to."""
    library = client_library.load()
    merged = library.KubeConfigMerger(files)
    loader = library.KubeConfigLoader(config_dict=merged.config, config_base_path=None, active_context=context)
    loader._load_oid_token = partial(_load_oidc, loader, merged)
    await loader.load_and_set(configuration)
    return loader


async def _load_oidc(loader: Any, merged: Any) -> str:
    provider: dict[str, str] = loader._user["auth-provider"]["config"].value
    if not provider.get("id-token") or expired(provider["id-token"], time.time()):
        before = provider.get("refresh-token")
        provider.update(await refreshed(provider))
        if provider["refresh-token"] != before:
            with suppress(OSError):  # a file that may not be written: the token is kept for as long as we run
                _keep(merged)
    loader.token = f"Bearer {provider['id-token']}"
    return str(loader.token)


def _keep(merged: Any) -> None:
    """A provider that rotates refresh tokens takes each only once: kubectl needs the new one too."""
    for name in merged.paths:
        if merged.config_files[name] != merged.config_saved[name]:
            _replace(Path(name).resolve(), yaml.safe_dump(merged.config_files[name], default_flow_style=False))
    merged.config_saved = deepcopy(merged.config_files)


def _replace(path: Path, text: str) -> None:
    """In one step: whoever reads the file at the same time finds the old one or the new one."""
    number, draft = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).chmod(path.stat().st_mode & 0o777)
        Path(draft).replace(path)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise

"""Whom we are to the API server: read from the kubeconfig or the pod's service account, and kept fresh."""

import asyncio
import os
import re
from pathlib import Path
from typing import Any

from common.clock import Clock
from common.kube import client_library
from common.kube.errors import BadKubeconfig
from common.kube.kubeconfig import load_kubeconfig
from common.kube.settings import KubeSettings

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
RENEW_SECONDS = 60.0
_ABSENT = re.compile(r"Expected object with name (\S+) in \S*/(context|cluster|user)s list")  # the library's words


class Credentials:
    """Knows where they came from, and reads them again: every minute where they expire, and when they are refused."""

    def __init__(self, configuration: Any, loader: Any, source: str, clock: Clock) -> None:
        self.configuration = configuration
        self._loader = loader  # of a kubeconfig; a service account renews itself
        self.source = source
        self._clock = clock
        self._renewed_at = clock.monotonic()
        self._lock = asyncio.Lock()

    @property
    def context(self) -> str:
        current = self._loader.current_context if self._loader else None
        return str(current["name"]) if current else "in-cluster"

    async def header(self) -> str | None:
        """Value of the Authorization header, if the credentials are of that kind."""
        if self._expires and self._clock.monotonic() - self._renewed_at >= RENEW_SECONDS:
            await self.renew(None)
        try:
            token = await self.configuration.get_api_key_with_prefix("BearerToken")
        except OSError as error:
            raise BadKubeconfig(f"cannot read the service account's token: {error}") from error
        return None if token is None else str(token)

    async def renew(self, refused: str | None) -> bool:
        """Read them again, unless somebody did since the header `refused` was sent. False: they never change."""
        if self._loader is None:
            return False
        async with self._lock:
            if refused is not None and refused != self.configuration.api_key.get("BearerToken"):
                return True
            if refused is not None:
                vars(self._loader).pop("exec_plugin_expiry", None)  # what it said of its expiry was wrong
            await _load(self.source, self._loader.load_and_set(self.configuration))
            self._renewed_at = self._clock.monotonic()
        return True

    @property
    def _expires(self) -> bool:
        loader = self._loader
        if loader is None:
            return False
        user = loader._user or {}
        return bool(loader.provider) or "tokenFile" in user or hasattr(loader, "exec_plugin_expiry")


async def find_credentials(settings: KubeSettings, clock: Clock) -> Credentials:
    """Raises BadKubeconfig with one line that names the file and what is wrong with it."""
    library = client_library.load()
    configuration = library.Configuration()
    files = _files(settings)
    if files is None:
        if "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise BadKubeconfig(
                "no kubeconfig: set KUBECONFIG or make ~/.kube/config (and this is no pod with a service account)"
            )
        try:
            library.load_incluster_config(configuration)
        except (library.ConfigException, OSError) as error:
            raise BadKubeconfig(f"service account in {SERVICE_ACCOUNT}: {error}") from error
        return Credentials(configuration, None, str(SERVICE_ACCOUNT), clock)
    loader = await _load(f"kubeconfig {files}", load_kubeconfig(files, settings.context, configuration))
    if not configuration.host.startswith(("https://", "http://")):
        raise BadKubeconfig(f"kubeconfig {files}: server {configuration.host!r} is not an http(s) URL")
    return Credentials(configuration, loader, f"kubeconfig {files}", clock)


def _files(settings: KubeSettings) -> str | None:
    """Paths of the kubeconfigs, joined as in KUBECONFIG; None when there are none to be expected."""
    named = str(settings.kubeconfig) if settings.kubeconfig else os.environ.get("KUBECONFIG", "")
    if not named:
        home = Path.home() / ".kube" / "config"
        return str(home) if home.exists() or settings.context else None
    paths = [Path(path).expanduser() for path in named.split(os.pathsep) if path]
    if not any(path.is_file() for path in paths):
        origin = "" if settings.kubeconfig else " (from KUBECONFIG)"
        what = "it is a folder" if any(path.is_dir() for path in paths) else "no such file"
        raise BadKubeconfig(f"kubeconfig {named}{origin}: {what}")
    return os.pathsep.join(str(path) for path in paths)


async def _load(source: str, loading: Any) -> Any:
    try:
        return await loading
    except FileNotFoundError as error:
        missing = error.filename or "a program that it names"
        raise BadKubeconfig(f"{source}: {missing}: not found; is the exec plugin installed?") from error
    except Exception as error:  # YAML errors, assertions and attribute errors too: whatever a broken file leads to
        raise BadKubeconfig(f"{source}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """ConfigExceptions and I/O errors speak for themselves; others only tell that the file has another shape."""
    text = " ".join(str(error).split())
    if absent := _ABSENT.search(text):
        return f"there is no {absent[2]} {absent[1]!r} in it"
    if type(error).__name__ in {"AssertionError", "AttributeError", "TypeError", "KeyError"} or not text:
        return "it is not a kubeconfig, or a part that is needed is missing"
    return text[:300]

"""Prometheus, Alertmanager and kube-state-metrics as processes: started, ready, reloaded, gone with their data."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
import yaml

from . import binaries, processes
from .api import wait_for
from .errors import DevClusterError
from .kwokctl import free_ports

READY_TIMEOUT_SECONDS = 60.0
END_TIMEOUT_SECONDS = 60.0
Server = TypeVar("Server", bound="_Server")
Configured = TypeVar("Configured", bound="_Configured")


class _Server(ABC):
    """One program that serves HTTP. As a context manager it is up inside the block and gone after it."""

    program = ""
    ready_path = "/-/ready"

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_ports(1)[0]

    @cached_property
    def home(self) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"devcluster-{self.program}-"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace") if (self.home / "log").exists() else ""

    def up(self: Server) -> Server:
        """Starts it and returns when it is ready, some 0.5 s; after ``stop`` with the data that it had.

        It goes when this process ends, however that happens. Raises DevClusterError with its last words.
        """
        programs = binaries.ensure(self.program)
        if not (self.home / processes.OWNER).exists():
            processes.guard(self.home, os.getpid())
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(programs[self.program]), *self._arguments()],
                env=os.environ | {processes.HOME_VARIABLE: str(self.home)},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(f"{self.program} at {self.url}", self._ready, READY_TIMEOUT_SECONDS)
        except BaseException:
            self.down()
            raise
        return self

    def stop(self) -> None:
        """Ends it in good order; its data stay for ``up``."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a crash would: Alertmanager forgets the silences and notifications of its last minutes."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(END_TIMEOUT_SECONDS)
            self._process = None

    def down(self) -> None:
        """Ends it and removes its data."""
        self.kill()
        processes.remove(self.home)

    def __enter__(self: Server) -> Server:
        return self.up()

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.down()

    def _ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            last = self.log.strip().splitlines()[-1:] or ["without a word"]
            raise DevClusterError(f"{self.program} ended by itself: {last[0][:500]}")
        try:
            return httpx.get(f"{self.url}{self.ready_path}", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    @abstractmethod
    def _arguments(self) -> Sequence[str]:
        """Of the command."""


class _Configured(_Server):
    """One that reads a configuration file, and again when it is told to."""

    def __init__(self, config: Mapping[str, Any] | str, *, files: Mapping[str, str] | None = None) -> None:
        """``files`` are written beside the configuration, which may name them by their relative paths."""
        super().__init__()
        self._config, self._files = config, dict(files or {})

    def up(self: Configured) -> Configured:
        self._write()
        return super().up()

    def reload(self, config: Mapping[str, Any] | str, *, files: Mapping[str, str] | None = None) -> None:
        """Takes another configuration while it runs. Raises DevClusterError with what is wrong with it."""
        self._config, self._files = config, {**self._files, **(files or {})}
        self._write()
        answer = httpx.post(f"{self.url}/-/reload", timeout=30)
        if answer.status_code != 200:
            raise DevClusterError(f"{self.program} did not take the configuration: {answer.text.strip()}")

    def _write(self) -> None:
        for name, content in self._files.items():
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_text(content)
        text = self._config if isinstance(self._config, str) else yaml.safe_dump(dict(self._config))
        (self.home / "config.yaml").write_text(text)


class Prometheus(_Configured):
    """A Prometheus that sends a firing alert again each 5 s at the latest, as ``group_wait`` of seconds wants it."""

    program = "prometheus"

    def _arguments(self) -> Sequence[str]:
        return (
            "--config.file=config.yaml",
            f"--storage.tsdb.path={self.home / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
            "--rules.alert.resend-delay=5s",
            "--log.level=warn",
        )

    def backfill(self, openmetrics: str) -> None:
        """Puts samples of the past into its data, before ``up``: OpenMetrics text with timestamps, ending in # EOF."""
        (self.home / "past").write_text(openmetrics)
        promtool = str(binaries.ensure(self.program)["promtool"])
        command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "past", "data"]
        made = subprocess.run(command, cwd=self.home, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise DevClusterError(f"promtool cannot put these samples into a block: {made.stderr.strip()}")


class Alertmanager(_Configured):
    """An Alertmanager; with ``peers`` one of several that share what they have notified of."""

    program = "alertmanager"

    def __init__(
        self,
        config: Mapping[str, Any] | str,
        *,
        files: Mapping[str, str] | None = None,
        peers: Sequence[Alertmanager] | None = None,
        peer_timeout_seconds: float = 15.0,
    ) -> None:
        super().__init__(config, files=files)
        self._peers, self._peer_timeout_seconds = peers, peer_timeout_seconds
        self._gossip = free_ports(1)[0]

    def _arguments(self) -> Sequence[str]:
        listen = "" if self._peers is None else f"127.0.0.1:{self._gossip}"
        return (
            "--config.file=config.yaml",
            f"--storage.path={self.home / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--cluster.listen-address={listen}",
            f"--cluster.peer-timeout={self._peer_timeout_seconds:g}s",
            "--cluster.settle-timeout=1s",
            *(f"--cluster.peer=127.0.0.1:{each._gossip}" for each in self._peers or ()),
            "--log.level=warn",
        )


class KubeStateMetrics(_Server):
    """A kube-state-metrics that tells of a cluster's objects at /metrics, within a second of their change."""

    program = "kube-state-metrics"
    ready_path = "/healthz"

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__()
        self._kubeconfig, self._telemetry = kubeconfig, free_ports(1)[0]

    def _arguments(self) -> Sequence[str]:
        return (
            f"--kubeconfig={self._kubeconfig}",
            "--host=127.0.0.1",
            f"--port={self.port}",
            "--telemetry-host=127.0.0.1",
            f"--telemetry-port={self._telemetry}",
        )

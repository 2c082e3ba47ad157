"""What kwokctl is told: its configuration, free ports, and the call itself."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from .binaries.catalog import KUBERNETES
from .errors import DevClusterError
from .processes import HOME_VARIABLE
from .settings import Settings

FILES = Path(__file__).parent / "kwok"
TIMEOUT_SECONDS = 600.0
NODE_LABEL = "kwok.x-k8s.io/kubelet"
# Below the ports the kernel gives to outgoing connections, so that none of them takes one between choice and use.
PORTS = range(20000, 30000)

_BINARY_OPTIONS = {
    "etcdBinary": "etcd",
    "etcdctlBinary": "etcdctl",
    "etcdutlBinary": "etcdutl",
    "kubeApiserverBinary": "kube-apiserver",
    "kubeControllerManagerBinary": "kube-controller-manager",
    "kubeSchedulerBinary": "kube-scheduler",
    "kubectlBinary": "kubectl",
    "kwokControllerBinary": "kwok",
    "metricsServerBinary": "metrics-server",
}
_ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "etcd": [{"key": "unsafe-no-fsync", "value": "true"}],
    # There is one of each: it need not wait for a dead predecessor's lease, nor give up when the API server is away.
    "kube-controller-manager": [{"key": "leader-elect", "value": "false"}],
    "kube-scheduler": [{"key": "leader-elect", "value": "false"}],
    "kwok-controller": [
        {"key": "manage-all-nodes", "value": "false", "override": True},
        {"key": "manage-nodes-with-label-selector", "value": f"{NODE_LABEL}=alive"},
    ],
    "metrics-server": [
        {"key": "metric-resolution", "value": "10s", "override": True},
        {"key": "kubelet-request-timeout", "value": "5s"},
    ],
}


def run(kwokctl: Path, home: Path, *arguments: str, check: Callable[[], None] | None = None) -> None:
    """Calls kwokctl for the cluster whose files are in ``home``. Raises DevClusterError.

    ``check`` is called while it runs and ends it by an exception: kwokctl waits long for what will not come.
    """
    environment = os.environ | {"KWOK_WORKDIR": str(home / "kwok"), HOME_VARIABLE: str(home)}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(
            [str(kwokctl), "--name", home.name, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            while process.poll() is None:
                if check:
                    check()
                if time.monotonic() > deadline:
                    raise DevClusterError(f"kwokctl {' '.join(arguments[:2])} did not end in {TIMEOUT_SECONDS:.0f} s")
                time.sleep(0.05)
        except BaseException:
            process.kill()
            raise
        if process.returncode != 0:
            output.seek(0)
            raise DevClusterError(f"kwokctl {' '.join(arguments[:2])} failed: {_last_line(output.read())}")


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def configuration(settings: Settings, binaries: dict[str, Path], home: Path) -> str:
    """The YAML for ``kwokctl create cluster --config``. Puts metrics-server's manifest where kwokctl looks."""
    cache = home / "kwok" / "cache"
    ports = free_ports(7)
    grace_milliseconds = settings.node_grace_seconds * 1000
    options: dict[str, Any] = {
        "runtime": "binary",
        "bindAddress": "127.0.0.1",  # the default is every address
        "cacheDir": str(cache),
        "kubeVersion": f"v{KUBERNETES}",
        "kubeApiserverPort": ports[0],
        "etcdPort": ports[1],
        "etcdPeerPort": ports[2],
        "kubeControllerManagerPort": ports[3],
        "kubeSchedulerPort": ports[4],
        "kwokControllerPort": ports[5],
        "metricsServerPort": ports[6],
        "disableQPSLimits": True,
        "heartbeatFactor": 1,  # the default makes every heartbeat five times as slow
        "nodeLeaseDurationSeconds": settings.node_grace_seconds,
        "kubeControllerManagerNodeMonitorPeriodMilliseconds": min(5000, grace_milliseconds // 4),
        "kubeControllerManagerNodeMonitorGracePeriodMilliseconds": grace_milliseconds,
        "enable": ["metrics-server"] if settings.metrics else [],
        "metricsServerManifests": [_cached_manifest(cache)],
        "disable": [] if settings.controllers else ["kube-controller-manager", "kube-scheduler", "kwok-controller"],
    }
    document = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": options | {option: str(binaries[name]) for option, name in _BINARY_OPTIONS.items()},
        "componentsPatches": [{"name": name, "extraArgs": arguments} for name, arguments in _ARGUMENTS.items()],
    }
    return yaml.safe_dump(document, sort_keys=False) + "---\n" + (FILES / "stages.yaml").read_text()


def _cached_manifest(cache: Path) -> str:
    """The "address" of metrics-server's manifest: kwokctl looks into its cache before it asks the network."""
    address = "devcluster:metrics-server"
    file = cache / "manifest" / f"{hashlib.sha256(address.encode()).hexdigest()}.yaml"
    file.parent.mkdir(parents=True)
    shutil.copyfile(FILES / "metrics-server.yaml", file)
    return address


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 nobody listens on; chosen at random, so clusters that start at once do not collide."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        for port in random.sample(PORTS, len(PORTS)):
            listener = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return found
    raise DevClusterError(f"no {count} free ports between {PORTS.start} and {PORTS.stop}")

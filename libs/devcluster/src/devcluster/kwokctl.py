"""What kwokctl is told: its configuration, free ports, and the call itself."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
from pathlib import Path
from typing import Any

import yaml

from .errors import DevClusterError
from .processes import HOME_VARIABLE
from .settings import Settings

FILES = Path(__file__).parent / "kwok"
NODE_LABEL = "kwok.x-k8s.io/kubelet"
# Below the ports the kernel gives to outgoing connections, so that none of them takes one between choice and use.
PORTS = range(20000, 30000)


def run(kwokctl: Path, home: Path, *arguments: str, timeout: float = 600) -> str:
    """Calls kwokctl for the cluster whose files are in ``home``; its output. Raises DevClusterError."""
    command = [str(kwokctl), "--name", home.name, *arguments]
    environment = os.environ | {"KWOK_WORKDIR": str(home / "kwok"), HOME_VARIABLE: str(home)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise DevClusterError(f"kwokctl {' '.join(arguments[:2])} did not end within {timeout:.0f} s") from error
    if done.returncode != 0:
        raise DevClusterError(f"kwokctl {' '.join(arguments[:2])} failed: {_last_line(done.stderr)}")
    return done.stdout


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def configuration(settings: Settings, binaries: dict[str, Path], home: Path) -> str:
    """The multi-document YAML for ``kwokctl create cluster --config``."""
    ports = free_ports(7)
    paths = {name: str(path) for name, path in binaries.items()}
    work = home / "kwok" / "clusters" / home.name
    options: dict[str, Any] = {
        "runtime": "binary",
        "bindAddress": "127.0.0.1",
        "etcdBinary": paths["etcd"],
        "etcdctlBinary": paths["etcdctl"],
        "etcdutlBinary": paths["etcdutl"],
        "kubeApiserverBinary": paths["kube-apiserver"],
        "kubeControllerManagerBinary": paths["kube-controller-manager"],
        "kubeSchedulerBinary": paths["kube-scheduler"],
        "kubectlBinary": paths["kubectl"],
        "kwokControllerBinary": paths["kwok"],
        "kubeApiserverPort": ports[0],
        "etcdPort": ports[1],
        "etcdPeerPort": ports[2],
        "kubeControllerManagerPort": ports[3],
        "kubeSchedulerPort": ports[4],
        "kwokControllerPort": ports[5],
        "cacheDir": str(home / "kwok" / "cache"),
        "disableQPSLimits": True,
        "heartbeatFactor": 1,
        "nodeLeaseDurationSeconds": settings.node_grace_seconds,
        "kubeControllerManagerNodeMonitorPeriodMilliseconds": min(5000, settings.node_grace_seconds * 250),
        "kubeControllerManagerNodeMonitorGracePeriodMilliseconds": settings.node_grace_seconds * 1000,
        "disable": [] if settings.controllers else ["kube-controller-manager", "kube-scheduler", "kwok-controller"],
    }
    document: dict[str, Any] = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": options,
        "componentsPatches": [
            {"name": "etcd", "extraArgs": [{"key": "unsafe-no-fsync", "value": "true"}]},
            {
                "name": "kwok-controller",
                "extraArgs": [
                    {"key": "manage-all-nodes", "value": "false", "override": True},
                    {"key": "manage-nodes-with-label-selector", "value": f"{NODE_LABEL}=alive"},
                ],
            },
        ],
        "components": [_metrics_server(paths["metrics-server"], work, ports[6])] if settings.metrics else [],
    }
    documents = [yaml.safe_dump(document, sort_keys=False), (FILES / "stages.yaml").read_text()]
    if settings.metrics:
        documents.append((FILES / "metrics.yaml").read_text())
    return "---\n".join(documents)


def _metrics_server(binary: str, work: Path, port: int) -> dict[str, Any]:
    kubeconfig, pki = work / "kubeconfig.yaml", work / "pki"
    return {
        "name": "metrics-server",
        "binary": binary,
        "workDir": str(work),
        "links": ["kube-apiserver"],
        "ports": [{"name": "https", "port": port}],
        "args": [
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--tls-cert-file={pki / 'admin.crt'}",
            f"--tls-private-key-file={pki / 'admin.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-use-node-status-port",
            "--kubelet-insecure-tls",
            "--kubelet-request-timeout=5s",
            "--metric-resolution=10s",
        ],
    }


def metrics_api(port: int) -> list[dict[str, Any]]:
    """What makes the API server send metrics.k8s.io to metrics-server on a local port."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics-server", "namespace": "kube-system"},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    }
    api = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "service": {"name": "metrics-server", "namespace": "kube-system", "port": port},
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }
    return [service, api]


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


def metrics_port(config: Path) -> int:
    """The port a written configuration gave to metrics-server."""
    document = next(iter(yaml.safe_load_all(config.read_text())))
    return int(document["components"][0]["ports"][0]["port"])

"""Which programs exist, in which group, at which version, and where their projects publish them.

A group is made as a whole from one ``go.mod``; its pinned versions are repeated here because downloads, version
checks and cache folders need them before Go is there. A test compares the two.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

GO_MODULES = Path(__file__).parents[1] / "go"


@dataclass(frozen=True, slots=True)
class Download:
    """A published file: ``url`` and ``checksums`` are templates of {base}, {version}, {os} and {arch}.

    ``checksums`` answers either a bare SHA-256 or lines of "hash  name". ``member`` is the path inside a tar.gz.
    """

    site: str
    url: str
    checksums: str
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """One program. ``package`` is its Go import path; without ``download`` it can only be built."""

    name: str
    package: str
    version: str
    download: Download | None = None
    version_command: tuple[str, ...] = ("--version",)

    @property
    def variable(self) -> str:
        """The environment variable that names this program's file."""
        return "DEVCLUSTER_" + self.name.upper().replace("-", "_")

    def fits(self, version_output: str) -> bool:
        """Whether the output of the program's version command is of the pinned major and minor version."""
        found = re.search(r"(\d+)\.(\d+)\.\d+", version_output)
        return found is not None and list(found.groups()) == self.version.split(".")[:2]


@dataclass(frozen=True, slots=True)
class Group:
    """Programs of one ``go.mod``, made together and only when something asks for one of them.

    ``variables`` are Go's string variables that the linker sets, ``tags`` its build tags.
    """

    name: str
    version: str
    tools: tuple[Tool, ...]
    variables: dict[str, str] = field(default_factory=dict)
    tags: str = ""
    modules: Path = GO_MODULES

    @property
    def module(self) -> Path:
        """The folder of the group's go.mod and go.sum."""
        return self.modules / self.name


@dataclass(frozen=True, slots=True)
class Sites:
    """Where the projects publish their releases; a mirror is named by environment variable."""

    kubernetes: str = "https://dl.k8s.io"
    github: str = "https://github.com"
    helm: str = "https://get.helm.sh"

    @classmethod
    def from_environment(cls) -> Sites:
        return cls(
            **{
                name: os.environ.get(f"DEVCLUSTER_SITE_{name.upper()}", getattr(cls(), name)).rstrip("/")
                for name in cls.__slots__
            }
        )


KUBERNETES, ETCD, KWOK, METRICS_SERVER = "1.36.3", "3.6.8", "0.8.0", "0.9.0"
HELM, KUBECONFORM, PROMETHEUS, ALERTMANAGER = "4.3.1", "0.8.0", "3.15.0", "0.31.1"
KUBE_STATE_METRICS = "2.18.0"


def _kubernetes(name: str) -> Tool:
    file = "{base}/release/v{version}/bin/{os}/{arch}/" + name
    command = ("version", "--client") if name == "kubectl" else ("--version",)
    source = Download("kubernetes", file, file + ".sha256")
    return Tool(name, f"k8s.io/kubernetes/cmd/{name}", KUBERNETES, source, command)


def _etcd(name: str) -> Tool:
    release = "{base}/etcd-io/etcd/releases/download/v{version}/"
    archive = "etcd-v{version}-{os}-{arch}"
    source = Download("github", f"{release}{archive}.tar.gz", f"{release}SHA256SUMS", f"{archive}/{name}")
    command = ("--version",) if name == "etcd" else ("version",)
    package = "server" if name == "etcd" else name
    return Tool(name, f"go.etcd.io/etcd/{package}/v3", ETCD, source, command)


def _prometheus(project: str, name: str, version: str) -> Tool:
    release = f"{{base}}/prometheus/{project}/releases/download/v{{version}}/"
    archive = f"{project}-{{version}}.{{os}}-{{arch}}"
    source = Download("github", f"{release}{archive}.tar.gz", f"{release}sha256sums.txt", f"{archive}/{name}")
    return Tool(name, f"github.com/prometheus/{project}/cmd/{name}", version, source)


_HELM_ARCHIVE = "{base}/helm-v{version}-{os}-{arch}.tar.gz"
_KUBECONFORM_RELEASE = "{base}/yannh/kubeconform/releases/download/v{version}/"
_COMPONENT_VERSION = "k8s.io/component-base/version."

GROUPS = {
    group.name: group
    for group in (
        Group(
            "control-plane",
            KUBERNETES,
            (
                _kubernetes("kube-apiserver"),
                _kubernetes("kube-controller-manager"),
                _kubernetes("kube-scheduler"),
                _kubernetes("kubectl"),
                _etcd("etcd"),
                _etcd("etcdctl"),
                _etcd("etcdutl"),
                # These two projects publish no checksums, so their files are built and never downloaded.
                Tool("kwok", "sigs.k8s.io/kwok/cmd/kwok", KWOK),
                Tool("kwokctl", "sigs.k8s.io/kwok/cmd/kwokctl", KWOK),
                Tool("metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server", METRICS_SERVER),
            ),
            # Without these the API server says v0.0.0-master, and version checks of clients misjudge it.
            {
                _COMPONENT_VERSION + "gitVersion": f"v{KUBERNETES}",
                _COMPONENT_VERSION + "gitMajor": KUBERNETES.split(".", maxsplit=1)[0],
                _COMPONENT_VERSION + "gitMinor": KUBERNETES.split(".")[1],
            },
        ),
        Group(
            "packaging",
            HELM,
            (
                Tool(
                    "helm",
                    "helm.sh/helm/v4/cmd/helm",
                    HELM,
                    Download("helm", _HELM_ARCHIVE, _HELM_ARCHIVE + ".sha256sum", "{os}-{arch}/helm"),
                    ("version", "--short"),
                ),
                Tool(
                    "kubeconform",
                    "github.com/yannh/kubeconform/cmd/kubeconform",
                    KUBECONFORM,
                    Download(
                        "github",
                        _KUBECONFORM_RELEASE + "kubeconform-{os}-{arch}.tar.gz",
                        _KUBECONFORM_RELEASE + "CHECKSUMS",
                        "kubeconform",
                    ),
                    ("-v",),
                ),
            ),
            {"helm.sh/helm/v4/internal/version.version": f"v{HELM}", "main.version": f"v{KUBECONFORM}"},
        ),
        Group(
            "prometheus",
            PROMETHEUS,
            tuple(_prometheus("prometheus", name, PROMETHEUS) for name in ("prometheus", "promtool")),
            {"github.com/prometheus/common/version.Version": PROMETHEUS},
            tags="netgo,remove_all_sd,enable_kubernetes_sd",
        ),
        Group(
            "alertmanager",
            ALERTMANAGER,
            tuple(_prometheus("alertmanager", name, ALERTMANAGER) for name in ("alertmanager", "amtool")),
            {"github.com/prometheus/common/version.Version": ALERTMANAGER},
        ),
        Group(
            "kube-state-metrics",
            KUBE_STATE_METRICS,
            # Its project publishes images only, so it is built and never downloaded.
            (
                Tool(
                    "kube-state-metrics",
                    "k8s.io/kube-state-metrics/v2",
                    KUBE_STATE_METRICS,
                    version_command=("version",),
                ),
            ),
            {"github.com/prometheus/common/version.Version": f"v{KUBE_STATE_METRICS}"},
        ),
    )
}

"""A kubelet is too old for the API server, or newer than it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from common.contracts.health import Scalar
from health_monitor.checks.check import SOURCES, Check, Symptom, threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    minor_versions: int = threshold(
        3,
        "How many minor versions a kubelet may be older than the API server "
        "(https://kubernetes.io/releases/version-skew-policy/#kubelet).",
        least=0,
        most=10,
    )


def run(node: NodeRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    kubelet, server = node.kubelet_version, snapshot.server_version
    skew = _minor_versions_between(kubelet, server)
    if skew is None or 0 <= skew <= thresholds.minor_versions:
        return ()
    evidence: dict[str, Scalar] = {"kubelet_version": kubelet, "server_version": server, "minor_versions_older": skew}
    if skew < 0:
        message = f"The kubelet ({kubelet}) is newer than the API server ({server}), which is never supported"
        return (Symptom(message=message, severity=Severity.CRITICAL, evidence=evidence),)
    message = (
        f"The kubelet ({kubelet}) is {skew} minor versions older than the API server ({server}); "
        f"at most {thresholds.minor_versions} are supported"
    )
    return (Symptom(message=message, evidence=evidence),)


@lru_cache(maxsize=256)
def _minor_versions_between(kubelet: str, server: str) -> int | None:
    """By how many minor versions the kubelet is older; negative when newer; None when that cannot be told."""
    old = re.match(r"v?1\.(\d+)", kubelet)
    new = re.match(r"v?1\.(\d+)", server)
    return int(new[1]) - int(old[1]) if old and new else None


CHECK = Check(
    code="node-version-skew",
    title="Kubelet version unsupported",
    kind="Node",
    severity=Severity.WARNING,
    summary="The kubelet and the API server are too many versions apart: features and fields may be lost silently. A "
    "kubelet that is newer than its API server is critical.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({SOURCES}),
)

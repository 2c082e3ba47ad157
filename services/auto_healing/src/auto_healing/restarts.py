"""How often the container of a crash loop has restarted by now: its finding is not told anew when the number grows."""

from collections.abc import Mapping

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Finding
from common.contracts.health import Scalar

CRASH_LOOP = "pod-crash-loop"
_RESTARTS = "restarts"


def restarts_of(finding: Finding, snapshot: ClusterSnapshot) -> int | None:
    """None when the finding is about something else. A pod that is gone has 0."""
    if finding.code != CRASH_LOOP:
        return None
    pod = snapshot.find(finding.object.key)
    if not isinstance(pod, PodRow):
        return 0
    return max((each.restarts for each in pod.statuses if finding.part in {"", each.name}), default=0)


def message_now(finding: Finding, snapshot: ClusterSnapshot) -> str:
    """Its message, with the restarts of by now."""
    told, restarts = finding.evidence.get(_RESTARTS), evidence_now(finding, snapshot).get(_RESTARTS)
    if told == restarts:
        return finding.message
    message = finding.message.replace(f" {told} times so far", f" {restarts} times so far")
    return message if message != finding.message else f"{message} ({restarts} restarts so far)"


def evidence_now(finding: Finding, snapshot: ClusterSnapshot) -> Mapping[str, Scalar]:
    """The evidence of the finding, with the restarts that its container has by now."""
    restarts, told = restarts_of(finding, snapshot), finding.evidence.get(_RESTARTS)
    if restarts is None or (isinstance(told, int | float) and told >= restarts):
        return finding.evidence
    return {**finding.evidence, _RESTARTS: restarts}

"""What /readyz asks, each dependency by its name, and what is wrong with it in words for operators."""

from collections.abc import Mapping

from common.cluster.snapshot import Source, SourceState, not_read_yet
from common.supervisor import Supervisor
from common.web.probes import Probe
from health_monitor.monitor import Monitor
from health_monitor.policy.file import PolicyFile
from health_monitor.storage.storage import Storage


def probes(
    monitor: Monitor,
    sources: Mapping[str, Source],
    supervisor: Supervisor,
    *,
    storage: Storage | None,
    policy: PolicyFile | None,
) -> list[Probe]:
    """Required is what scores cannot do without. `storage` is None without a database, `policy` without a file.

    The database is not: monitoring and metrics go on without it, and taking every replica out of service would help
    nobody.
    """

    async def first_look() -> str | None:
        return _blind(sources) if monitor.synced.is_set() else _waiting(sources)

    async def sight() -> str | None:
        return _not_seen(sources) if monitor.synced.is_set() else None

    asked = [
        Probe("cluster", first_look),
        Probe("tasks", supervisor.trouble),
        Probe("watch", sight, required=False),
    ]
    if storage is not None:
        asked.append(Probe("database", storage.trouble, required=False))
    if policy is not None:
        asked.append(Probe("policy", policy.trouble, required=False))
    return asked


def _waiting(sources: Mapping[str, Source]) -> str:
    return not_read_yet(sources.values()) or "everything is read, and is being scored"


def _blind(sources: Mapping[str, Source]) -> str | None:
    """With no right at all there are scores, and they mean nothing."""
    reasons = [each.reason for each in sources.values() if each.state is SourceState.UNSEEN]
    return f"nothing of the cluster can be read; {reasons[0]}" if reasons and len(reasons) == len(sources) else None


def _not_seen(sources: Mapping[str, Source]) -> str | None:
    """Kinds that are forbidden or not served, and those whose watch is broken; one reason stands for all."""
    told = []
    for state in (SourceState.STALE, SourceState.STARTING, SourceState.UNSEEN):
        those = [each for each in sources.values() if each.state is state]
        reason = next((f": {each.reason}" for each in those if each.reason), "")
        if those:
            told.append(", ".join(f"{each.kind} is {state}" for each in those) + reason)
    return "; ".join(told) or None

"""What /readyz asks, each dependency by its name, and what is wrong with it in words for operators."""

from collections.abc import Callable

from auto_healing.alerts import Alerts
from auto_healing.notifier import Notifier
from auto_healing.policy.file import PolicyFile
from auto_healing.rights import Rights
from auto_healing.storage.opening import Storage
from common.cluster.snapshot import SourceState, not_read_yet
from common.cluster.watch import ClusterWatch
from common.monitor.catch_up import CatchUp
from common.supervisor import Supervisor
from common.web.probes import Probe


def probes(
    watch: ClusterWatch,
    supervisor: Supervisor,
    *,
    storage: Storage,
    policy: PolicyFile | None,
    rights: Rights,
    catch_up: Callable[[], CatchUp | None],
    alerts: Alerts | None,
    notifier: Callable[[], Notifier | None],
) -> list[Probe]:
    """Required is what nothing can be decided or recorded without. health_monitor is not: it comes back, and meanwhile
    runs go on and can be asked for by hand."""

    async def cluster() -> str | None:
        if watch.synced.is_set():
            return None
        return not_read_yet(watch.store.sources.values()) or "everything is read, and is being taken in"

    async def sight() -> str | None:
        bad = [each for each in watch.store.sources.values() if each.state in {SourceState.STALE, SourceState.UNSEEN}]
        return "; ".join(f"{each.kind} is {each.state}: {each.reason}" for each in bad) or None

    async def monitor() -> str | None:
        caught = catch_up()
        return None if caught is None else await caught.trouble()

    async def alert_service() -> str | None:
        tells = notifier()
        return None if tells is None else await tells.trouble()

    asked = [
        Probe("cluster", cluster),
        Probe("database", storage.trouble),
        Probe("tasks", supervisor.trouble),
        Probe("watch", sight, required=False),
        Probe("health_monitor", monitor, required=False),
        Probe("alert_service", alert_service, required=False),
        Probe("rights", rights.trouble, required=False),
    ]
    if policy is not None:
        asked.append(Probe("policy", policy.trouble, required=False))
    if alerts is not None:
        asked.append(Probe("alertmanager", alerts.trouble, required=False))
    return asked

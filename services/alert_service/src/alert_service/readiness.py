"""What /readyz asks, each dependency by its name, and what is wrong with it in words for operators."""

from collections.abc import Awaitable, Callable, Mapping

from alert_service.channels.opened import Channels
from alert_service.policy.file import PolicyFile
from alert_service.storage.opening import Storage
from common.supervisor import Supervisor
from common.web.probes import Probe

Trouble = Callable[[], Awaitable[str | None]]


def probes(
    supervisor: Supervisor,
    *,
    storage: Storage,
    policy: PolicyFile | None,
    channels: Channels,
    peers: Mapping[str, Trouble],
) -> list[Probe]:
    """Required is what nothing can be stored without: Alertmanager tries again elsewhere. `peers`: those asked here."""

    async def policy_trouble() -> str | None:
        if policy is None:
            return "no policy file is set (ALERT_SERVICE_POLICY__FILE): nobody is told of anything"
        return "; ".join(map(str, policy.mistakes)) or None

    async def channels_trouble() -> str | None:
        return "; ".join(map(str, channels.mistakes)) or None

    return [
        Probe("database", storage.trouble),
        Probe("tasks", supervisor.trouble),
        Probe("policy", policy_trouble, required=False),
        Probe("channels", channels_trouble, required=False),
        *(Probe(name, trouble, required=False) for name, trouble in peers.items()),
    ]

"""Connect to the cluster that the settings, the environment or the pod point at."""

from common.clock import Clock, SystemClock
from common.kube.api import Api
from common.kube.credentials import find_credentials
from common.kube.settings import KubeSettings
from common.kube.transport import Transport


async def connect(settings: KubeSettings | None = None, clock: Clock | None = None) -> Api:
    """Read the configuration and make a client; nothing is sent yet. Raises BadKubeconfig. Close the Api at the end."""
    settings, clock = settings or KubeSettings(), clock or SystemClock()
    credentials = await find_credentials(settings, clock)
    return Api(Transport(credentials, clock), settings)

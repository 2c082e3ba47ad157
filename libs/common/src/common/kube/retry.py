"""When a request is tried again, and after how long. Pure."""

from dataclasses import dataclass
from random import Random

from common.kube.errors import KubeError, Throttled, Unavailable

LONGEST_SECONDS = 30.0
LONGEST_ASKED_SECONDS = 60.0  # of a Retry-After


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: any time up to a limit that doubles, so that clients which failed together do not return together.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    first_seconds: float = 0.2
    longest_seconds: float = LONGEST_SECONDS

    def delay(self, attempt: int, random: Random, at_least: float | None = None) -> float:
        """Seconds to wait after failure number `attempt`, counted from 0, on top of what the server asked for."""
        limit = min(self.longest_seconds, self.first_seconds * 2 ** min(attempt, 32))
        return min(at_least or 0.0, LONGEST_ASKED_SECONDS) + random.uniform(0, limit)


def may_retry(method: str, error: KubeError) -> bool:
    """A read may always be repeated. A write only when it was certainly not carried out."""
    if isinstance(error, Throttled):
        return True
    return isinstance(error, Unavailable) and (method == "GET" or not error.sent)

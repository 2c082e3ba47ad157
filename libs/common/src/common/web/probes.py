"""Readiness: each dependency by name, whether it is needed, and what is wrong with it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

# Anybody may ask for readiness; the dependencies are asked no more often than this.
_FRESH_SECONDS = 1.0


class State(StrEnum):
    """Of one dependency."""

    READY = "ready"
    DEGRADED = "degraded"  # not there, and the service does without
    FAILING = "failing"  # not there, and the service cannot do without


@dataclass(frozen=True, slots=True)
class Probe:
    """`check` returns why the dependency is not ready, or None. It must not name a secret: the answer is public."""

    name: str
    check: Callable[[], Awaitable[str | None]]
    required: bool = True
    timeout_seconds: float = 2.0


class DependencyState(BaseModel):
    """One dependency of the service."""

    name: Annotated[str, Field(description="What is depended on", examples=["database"])]
    state: State
    reason: Annotated[str | None, Field(description="Why it is not ready", examples=["connection refused"])] = None


class Readiness(BaseModel):
    """Whether the service can do its work."""

    ready: Annotated[bool, Field(description="False while one that it cannot do without is failing")]
    dependencies: Annotated[list[DependencyState], Field(description="Each dependency, and what is wrong with it")]


class Probes:
    """Asks all dependencies at once, and remembers the answers for a second."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes
        self._lock = asyncio.Lock()
        self._latest: tuple[float, Readiness] | None = None

    async def readiness(self) -> Readiness:
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if self._latest is None or clock() - self._latest[0] > _FRESH_SECONDS:
                states = await asyncio.gather(*map(_ask, self._probes))
                ready = all(state.state is not State.FAILING for state in states)
                self._latest = (clock(), Readiness(ready=ready, dependencies=states))
            return self._latest[1]


async def _ask(probe: Probe) -> DependencyState:
    try:
        async with asyncio.timeout(probe.timeout_seconds):
            reason = await probe.check()
    except TimeoutError:
        reason = f"no answer within {probe.timeout_seconds:g} s"
    except Exception as error:  # a probe that breaks tells that its dependency is not ready, whatever the error
        reason = f"the probe failed with {type(error).__name__}"
    if reason is None:
        return DependencyState(name=probe.name, state=State.READY)
    state = State.FAILING if probe.required else State.DEGRADED
    return DependencyState(name=probe.name, state=state, reason=reason)

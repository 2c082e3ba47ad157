"""Cordons and uncordons a live node for a step, with the lease stored before and the marks in the same write."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from auto_healing.actions.action import Change, Doing, Outcome, Result
from auto_healing.actions.nodes.cordons import PATH, cordon_of, patch_cordoning, patch_uncordoning
from auto_healing.actions.nodes.sickness import sick_conditions
from auto_healing.kube.rows import live_row
from common.cluster.rows import NodeRow
from common.kube.errors import Conflict

TRIES = 5  # a node's status is written all the time, and each such write lets a guarded patch fail


async def cordon(doing: Doing, lease: timedelta) -> Outcome:
    """Cordons the target; FAILED, saying who, when somebody else did."""
    return await tried_again(lambda: _cordon(doing, lease))


async def uncordon(doing: Doing, inverse: Mapping[str, Any]) -> Outcome:
    """Takes back the cordon of this very step, and no other."""
    outcome = await tried_again(lambda: _uncordon(doing))
    if inverse.get("change"):
        await doing.store.release(UUID(inverse["change"]))
    return outcome


async def tried_again(write: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """For a write that reads first: when somebody was quicker, it reads again."""
    for _ in range(TRIES - 1):
        try:
            return await write()
        except Conflict:
            continue
    return await write()


async def _cordon(doing: Doing, lease: timedelta) -> Outcome:
    target = doing.step.target
    node = await doing.cluster.read(target)
    if node is None:
        return Outcome(result=Result.ALREADY, message=f"{target.name} is gone")
    found = cordon_of(node)
    if found.foreign:
        return Outcome(result=Result.FAILED, message=f"{target.name} was cordoned by {found.foreign}; it is left alone")
    reason, until = doing.step.reason, doing.clock.now() + lease
    change = Change(target=target, what=f"cordoned: {reason}", path=PATH, before=None, after=True, until=until)
    # Leased even where another run cordoned it: when that one's lease ends, the cordon goes on for this one.
    inverse = {"change": str(await doing.store.lease(change))}
    if found.cordoned:
        message = f"{target.name} is cordoned already, by run {found.mark}"
        return Outcome(result=Result.ALREADY, message=message, inverse=inverse)
    causes = sick_conditions(live_row(NodeRow, node))
    body = patch_cordoning(mark=doing.mark, reason=reason, until=until, causes=causes)
    await doing.cluster.patch(target, body, resource_version=node["metadata"]["resourceVersion"])
    message = f"{target.name} is cordoned until {until:%Y-%m-%d %H:%M} UTC"
    return Outcome(result=Result.DONE, message=message, inverse=inverse)


async def _uncordon(doing: Doing) -> Outcome:
    target = doing.step.target
    node = await doing.cluster.read(target)
    found = cordon_of(node) if node is not None else None
    if node is None or found is None or not found.cordoned:
        return Outcome(result=Result.ALREADY, message=f"{target.name} is not cordoned")
    if found.mark != doing.mark:
        whose = found.foreign or f"run {found.mark}"
        return Outcome(result=Result.ALREADY, message=f"{target.name} is cordoned by {whose} by now; it is left so")
    await doing.cluster.patch(target, patch_uncordoning(), resource_version=node["metadata"]["resourceVersion"])
    return Outcome(result=Result.DONE, message=f"{target.name} takes pods again")

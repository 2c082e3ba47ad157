"""Taints that are put on a node for a while: leased before, taken off when the lease ends or the step is undone."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from auto_healing.actions.action import Change, Doing, Outcome, Result
from auto_healing.actions.nodes.cordoning import tried_again
from auto_healing.fields import holds, item, patch_setting, value_at
from auto_healing.kube.rows import live_row
from auto_healing.marks import AVOID_TAINT, PREFIX
from common.cluster.rows import NodeRow
from common.contracts import ObjectRef

Taint = Mapping[str, str]

AVOID: Taint = {"key": AVOID_TAINT, "effect": "PreferNoSchedule"}
# Kubernetes looks at the key alone; the value tells ours from one that an operator put there.
# https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/#non-graceful-node-shutdown
OUT_OF_SERVICE: Taint = {"key": "node.kubernetes.io/out-of-service", "value": PREFIX, "effect": "NoExecute"}


def path_of(taint: Taint) -> tuple[str, ...]:
    """Of the taint among those of its node: key and effect identify it."""
    return ("spec", "taints", item(key=taint["key"], effect=taint["effect"]))


def ours_on(node: NodeRow, taint: Taint) -> bool:
    return any(each.key == taint["key"] and each.value == taint.get("value", "") for each in node.taints)


async def put_on(
    doing: Doing,
    node: ObjectRef,
    taint: Taint,
    *,
    what: str,
    lease: timedelta,
    only_if: Callable[[NodeRow], bool] = lambda node: True,
) -> Outcome:
    """Only what is ours has an inverse; one that somebody else put there stays theirs.

    `only_if` is asked of the very version of the node that is written to.
    """
    until = doing.clock.now() + lease
    change = Change(target=node, what=what, path=path_of(taint), before=None, after=dict(taint), until=until)
    return await tried_again(lambda: _put_on(doing, taint, change, only_if))


async def _put_on(doing: Doing, taint: Taint, change: Change, only_if: Callable[[NodeRow], bool]) -> Outcome:
    node = change.target
    live = await doing.cluster.read(node)
    if live is None or not only_if(live_row(NodeRow, live)):
        return Outcome(result=Result.ALREADY, message=f"{node.name} is not as it was any more")
    there = value_at(live, change.path)
    if there is not None and not holds(there, taint):
        return Outcome(result=Result.ALREADY, message=f"somebody else put the taint {taint['key']} on {node.name}")
    inverse = {"change": str(await doing.store.lease(change)), "node": node.name, "uid": node.uid}
    if there is not None:
        return Outcome(result=Result.ALREADY, message=f"{node.name} has the taint {taint['key']}", inverse=inverse)
    patch = patch_setting(live, change.path, change.after)
    await doing.cluster.patch(node, patch, resource_version=live["metadata"]["resourceVersion"])
    return Outcome(result=Result.DONE, message=f"{node.name} has the taint {taint['key']}", inverse=inverse)


async def take_off(doing: Doing, taint: Taint, inverse: Mapping[str, Any]) -> Outcome:
    """Undoes `put_on` by its inverse."""
    if "change" not in inverse:
        return Outcome(
            result=Result.ALREADY,
            message="nothing to take off: a taint that was put on before a crash ends with its lease",
        )
    node = ObjectRef(kind="Node", name=inverse["node"], uid=inverse["uid"])
    outcome = await tried_again(lambda: _take_off(doing, node, taint))
    await doing.store.release(UUID(inverse["change"]))
    return outcome


async def _take_off(doing: Doing, node: ObjectRef, taint: Taint) -> Outcome:
    live = await doing.cluster.read(node)
    there = value_at(live, path_of(taint))
    if live is None or there is None or not holds(there, taint):
        return Outcome(result=Result.ALREADY, message=f"our taint {taint['key']} is not on {node.name}")
    patch = patch_setting(live, path_of(taint), None)
    await doing.cluster.patch(node, patch, resource_version=live["metadata"]["resourceVersion"])
    return Outcome(result=Result.DONE, message=f"the taint {taint['key']} is off {node.name}")

"""Watches the node while pods are taken off it: the reason may go away, or somebody may want it back."""

from collections.abc import Collection

from auto_healing.actions.action import Doing, Result
from auto_healing.actions.nodes.cordons import cordon_of
from auto_healing.actions.nodes.sickness import recovered
from auto_healing.kube.rows import live_row
from common.cluster.rows import NodeRow

EVERY_SECONDS = 2.0


class OutOfTime(Exception):
    """The deadline has passed."""


class Stop(Exception):
    """There is no sense in going on. With `restore` the node is to be uncordoned at once."""

    def __init__(self, result: Result, message: str, *, restore: bool = False) -> None:
        super().__init__(message)
        self.result = result
        self.message = message
        self.restore = restore


class Vigil:
    """`causes` are conditions that must still be bad, beside those that were when the node was cordoned.

    None goes on whatever the node says of itself.
    """

    def __init__(self, doing: Doing, causes: Collection[str] | None) -> None:
        self._doing = doing
        self._causes = causes
        self._looked_at = float("-inf")
        self.node: NodeRow | None = None

    async def look(self, *, closely: bool = False) -> None:
        """Raises Stop or OutOfTime. Unless `closely`, the node is read again every other second only."""
        if self._doing.left.total_seconds() <= 0:
            raise OutOfTime
        now = self._doing.clock.monotonic()
        if not closely and now < self._looked_at + EVERY_SECONDS:
            return
        self._looked_at = now
        await self._read()

    async def _read(self) -> None:
        name = self._doing.step.target.name
        node = await self._doing.cluster.read(self._doing.step.target)
        if node is None:
            raise Stop(Result.ALREADY, f"{name} is gone")
        cordon = cordon_of(node)
        if not cordon.ours:
            what = f"cordoned by {cordon.foreign}" if cordon.foreign else "uncordoned by somebody"
            raise Stop(Result.FAILED, f"{name} was {what} meanwhile; it is not drained further")
        self.node = live_row(NodeRow, node)
        causes = cordon.causes.union(self._causes or ())
        if self._causes is not None and recovered(self.node, causes):
            good = ", ".join(sorted(causes))
            raise Stop(Result.ALREADY, f"{name} has recovered ({good}); it is not drained further", restore=True)

"""Drain a node: cordon it, then let its pods leave in order, as their disruption budgets allow."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import ClassVar

from auto_healing.actions.action import Doing, Outcome, Permission, Preview, Result
from auto_healing.actions.evidence import EVIDENCE_PERMISSIONS
from auto_healing.actions.nodes import cordoning
from auto_healing.actions.nodes.cordon import LEASE, refusal_of_cordon
from auto_healing.actions.nodes.cordons import cordon_in
from auto_healing.actions.nodes.departure import Departure, departure, ends_by_itself
from auto_healing.actions.nodes.draining import Draining
from auto_healing.actions.nodes.live import of_kind
from auto_healing.actions.nodes.parameters import LEASE_MINUTES, choice, minutes, only_known, truth, whole, words
from auto_healing.actions.nodes.progress import Progress, listed, named, ref_of
from auto_healing.actions.nodes.sickness import recovered
from auto_healing.actions.nodes.vigil import OutOfTime, Stop, Vigil
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import NodeRow, PodRow, Row
from common.cluster.snapshot import ClusterSnapshot
from common.kube.errors import Forbidden, Invalid, KubeError

PARALLEL, MOST_PARALLEL = "parallel", 100
BARE_PODS = "bare_pods"
CAUSES = "while_conditions"
GO_ON = "go_on_when_well"
WAVE_SECONDS = 35.0  # the default grace of a pod, and what its end takes


class Drain:
    """Never by force: what is left at the deadline is BLOCKED, with the budget that holds it. Undoing uncordons.

    Before each wave, and every other second, the node is read again. When what was bad about it is over, the drain
    stops and uncordons; when somebody uncordoned it, it stops.
    """

    code: ClassVar[str] = "drain"
    title: ClassVar[str] = "Drain a node: cordon it and evict its pods in order, within their disruption budgets"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = frozenset({"Node"})
    expects: ClassVar[str] = "No pods but those of DaemonSets are on the node; the others run elsewhere."
    undoable: ClassVar[str] = "The node is uncordoned; pods that have left stay where they are."
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="", resource="nodes", verbs=("get", "patch")),
        Permission(group="", resource="pods/eviction", verbs=("create",)),
        Permission(group="storage.k8s.io", resource="volumeattachments", verbs=("list",)),
        *EVIDENCE_PERMISSIONS,
    )
    parameters: ClassVar[Mapping[str, str]] = {
        LEASE_MINUTES: f"minutes until the cordon is lifted by itself, {LEASE} unless said otherwise",
        PARALLEL: "evictions at a time, 10 unless said otherwise",
        BARE_PODS: "refuse (the default) or evict: what to do with pods that no controller makes anew",
        CAUSES: "node conditions such as Ready,DiskPressure: when they are good again, the drain stops; those that are "
        "bad when the node is cordoned count as well",
        GO_ON: "true drains a node that has recovered all the same; false unless said",
    }

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        minutes(parameters, LEASE_MINUTES, LEASE)
        whole(parameters, PARALLEL, 10, most=MOST_PARALLEL)
        node, causes, bare_too = of_kind(NodeRow, target), _causes(parameters), _bare_too(parameters)
        leaving = departure(snapshot.pods_on(node.name))
        refusal = (
            refusal_of_cordon(node)
            or (f"{node.name} has recovered already" if causes and recovered(node, causes) else "")
            or ("" if bare_too else _bare(leaving))
            or _never(leaving, snapshot)
            or _drained(node, leaving)
        )
        if refusal:
            return Preview(refusal=refusal)
        displaced = tuple(ref_of(pod) for pod in leaving.pods if pod.deleted_at is None)
        seconds = 2 + WAVE_SECONDS * len(leaving.waves)
        return Preview(displaced=displaced, changes=_changes(node, leaving, snapshot), expected_seconds=seconds)

    async def apply(self, doing: Doing) -> Outcome:
        parameters = doing.step.parameters
        cordoned = await cordoning.cordon(doing, minutes(parameters, LEASE_MINUTES, LEASE))
        if cordoned.result is Result.FAILED:
            return cordoned
        draining = Draining(
            doing,
            Vigil(doing, _causes(parameters)),
            parallel=whole(parameters, PARALLEL, 10, most=MOST_PARALLEL),
            bare_too=_bare_too(parameters),
        )
        stop = await _carried_out(draining)
        with suppress(KubeError):  # what is to be taken back matters more than the last count
            await draining.count()
        if stop is not None and stop.restore:
            await cordoning.uncordon(doing, cordoned.inverse)
        return _outcome(doing, draining.progress, stop, {} if stop is not None and stop.restore else cordoned.inverse)

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        return await cordoning.uncordon(doing, outcome.inverse)


async def _carried_out(draining: Draining) -> Stop | None:
    try:
        await draining.carry_out()
    except Stop as stop:
        return stop
    except OutOfTime:
        return Stop(Result.BLOCKED, "the time is over")
    except (Forbidden, Invalid) as error:
        # To try again would not help; and the cordon has to be known to whoever takes it back.
        return Stop(Result.FAILED, str(error))
    return None


def _outcome(doing: Doing, progress: Progress, stop: Stop | None, inverse: Mapping[str, str]) -> Outcome:
    name, left = doing.step.target.name, progress.what_is_left
    if stop is not None:
        result, message = stop.result, stop.message + (f"; left on {name}: {left}" if left else "")
    elif left:
        result = Result.BLOCKED
        message = f"nothing is heard of {name}, where pods cannot end: {left}; reschedule-from-node takes them off"
    else:
        result, message = Result.DONE, f"{name} is drained: {progress.gone} pods have left"
    if progress.volumes_attached:
        message += f"; {progress.volumes_attached} of their volumes are still attached"
    return Outcome(result=result, message=message, numbers=progress.numbers, inverse=inverse)


def _causes(parameters: Parameters) -> frozenset[str] | None:
    return None if truth(parameters, GO_ON) else words(parameters, CAUSES)


def _bare_too(parameters: Parameters) -> bool:
    return choice(parameters, BARE_PODS, "refuse", ("refuse", "evict")) == "evict"


def _bare(leaving: Departure) -> str:
    if not leaving.bare:
        return ""
    return f"no controller would make {named(leaving.bare)} anew; {BARE_PODS}: evict lets them go all the same"


def _drained(node: NodeRow, leaving: Departure) -> str:
    """Doing it once more would change nothing, and count as a success."""
    done = node.unschedulable and cordon_in(node).ours and not leaving.pods
    return f"{node.name} is drained already, by run {cordon_in(node).mark}: a person must look" if done else ""


def _never(leaving: Departure, snapshot: ClusterSnapshot) -> str:
    """The Eviction API refuses a pod that several budgets select, whatever they allow."""
    for pod in leaving.pods:
        pdbs = snapshot.pdbs_of(pod)
        if len(pdbs) > 1 and pod.deleted_at is None and not ends_by_itself(pod):
            names = ", ".join(sorted(pdb.name for pdb in pdbs))
            return f"{pod.namespace}/{pod.name} can never be evicted, since several PDBs select it: {names}"
    return ""


def _changes(node: NodeRow, leaving: Departure, snapshot: ClusterSnapshot) -> tuple[str, ...]:
    told = [f"{node.name} is cordoned", f"{len(leaving.pods)} pods leave in {len(leaving.waves)} waves"]
    if waiting := [pod for pod in leaving.pods if ends_by_itself(pod)]:
        told.append(f"waits for {named(waiting)} to end")
    if held := _held(leaving.pods, snapshot):
        told.append(f"waits for PDBs that allow nothing now: {listed(held)}")
    if stays := sum(leaving.stays.values()):
        told.append(f"{stays} pods stay: of DaemonSets, static, finished, or skipped by their label")
    return tuple(told)


def _held(pods: Collection[PodRow], snapshot: ClusterSnapshot) -> list[str]:
    pdbs = [pdb for pod in pods for pdb in snapshot.pdbs_of(pod) if pdb.disruptions_allowed == 0]
    return sorted({f"{pdb.namespace}/{pdb.name}" for pdb in pdbs})

"""What is kept of a node and its pods before they are taken off it."""

from auto_healing.actions.action import Doing
from auto_healing.kube.evidence import collect
from auto_healing.kube.redaction import cleaned


async def keep_node_evidence(doing: Doing) -> None:
    """Stored when it returns: the node as `collect` describes it, and every pod as it is now, without credentials."""
    target = doing.step.target
    bundle = await collect(doing.cluster, target, doing.snapshot)
    pods = await doing.cluster.list("Pod", fields=f"spec.nodeName={target.name}")
    bundle["pod_manifests"] = [cleaned(pod) for pod in pods]
    await doing.store.save_evidence(target, bundle)

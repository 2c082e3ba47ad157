"""Years of running: what came and went leaves nothing behind."""

import gc
import tracemalloc

import msgspec
from tests.support.api_objects import pod_json

from common.clock import SystemClock
from common.cluster.decode import meta, pods
from common.cluster.intake import Intake
from common.cluster.kinds import KINDS
from common.cluster.rows import PodRow
from common.cluster.store import Store

POD = next(kind for kind in KINDS if kind.row is PodRow)
CACHES = [item for module in (meta, pods) for item in vars(module).values() if hasattr(item, "cache_info")]


def frames(generation: int, count: int = 12) -> bytes:
    """Pods that come, change and go, each with names, labels, owners and messages that were never seen before."""
    lines = []
    for number in range(count):
        name = f"app-{generation}-{number}"
        pod = pod_json(name, f"ns-{generation}", labels={"app": name}, annotations={"k8s-health-checker/x": name})
        pod["metadata"]["managedFields"] = []
        pod["spec"]["nodeName"] = f"node-{generation}-{number}"
        pod["spec"]["containers"][0]["name"] = name
        pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": f"Reason{name}", "message": name}}
        for version, change in enumerate(("ADDED", "MODIFIED", "DELETED")):
            pod["metadata"]["resourceVersion"] = f"{generation}{number}{version}"
            lines.append(msgspec.json.encode({"type": change, "object": pod}))
    return b"\n".join(lines)


def test_memory_is_flat_under_churn() -> None:
    """The look-up tables are small here, so that what they bound is seen soon."""
    store = Store()
    intake = Intake(POD, store, SystemClock())
    sizes = []
    for cache in CACHES:
        cache.cache_clear()
    tracemalloc.start()
    try:
        for generation in range(60):
            intake.block(frames(generation), 0.0)
            intake.drain()
            if generation % 20 == 19:
                for cache in CACHES:
                    assert cache.cache_info().maxsize is not None
                    cache.cache_clear()
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(store.rows(PodRow)) == 0
    assert sizes[-1] - sizes[0] < 60_000, sizes


def test_every_table_of_shared_values_is_bounded() -> None:
    assert len(CACHES) >= 7
    assert all(cache.cache_info().maxsize for cache in CACHES)

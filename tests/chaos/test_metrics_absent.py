"""metrics.k8s.io is not served: usage is unknown, which lowers the confidence and no score."""

import pytest
from tests.support.service import running

from devcluster import DevCluster

pytestmark = pytest.mark.cluster

USAGE = ("NodeUsage", "PodUsage")


async def test_unknown_usage_is_told_and_lowers_the_confidence_alone(devcluster_shared: DevCluster) -> None:
    async with running(devcluster_shared.kubeconfig) as service:
        await service.ready()
        await service.becomes("watch", "degraded", "metrics.k8s.io")
        sources = {each["kind"]: each for each in (await service.get("cluster"))["sources"]}
        for kind in USAGE:
            assert sources[kind]["state"] == "unseen"
            assert "install metrics-server" in sources[kind]["reason"]
            assert await service.metric(f'source_synced{{kind="{kind}"}}') == 0

        node = (await service.get("nodes", limit=1))["items"][0]
        assert node["confidence"] < 1
        question = {"kind": "Node", "name": node["object"]["name"]}
        explained = (await service.answer("/api/v1/explain", "POST", json=question)).json()
        assert "NodeUsage" in explained["not_seen"]
        verdicts = {check["code"]: check["verdict"] for check in explained["checks"]}
        assert verdicts["node-cpu-high"] == verdicts["node-memory-high"] == "blind"
        points = sum(each["points"] for each in explained["score"]["deductions"])
        assert explained["score"]["value"] == pytest.approx(100 - points)

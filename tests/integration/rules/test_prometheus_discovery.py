"""The shipped configuration of Prometheus finds its targets in a cluster: by the shipped rights, labelled as rules
want them, none twice."""

import base64
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from tests.support.alert_rules import PROMETHEUS, ROOT

from devcluster import DevCluster, Settings, testing
from devcluster.api import Object, collection, path_of, wait_for
from devcluster.monitoring import Prometheus
from devcluster.workloads import pods_of

pytestmark = pytest.mark.cluster

NODES = 3
ALONE = ("prometheus", "alertmanager", "apiserver")
MANIFESTS = [*sorted((ROOT / "deploy/kubernetes").glob("*.yaml")), PROMETHEUS / "rbac.yaml"]
# As the Helm charts kube-state-metrics and prometheus-node-exporter (of kube-prometheus-stack, too) make them.
CHARTS = """
apiVersion: v1
kind: Namespace
metadata: {name: monitoring}
---
apiVersion: v1
kind: Service
metadata:
  name: stack-kube-state-metrics
  namespace: monitoring
  labels: {app.kubernetes.io/name: kube-state-metrics, app.kubernetes.io/instance: stack}
spec:
  selector: {app.kubernetes.io/name: kube-state-metrics, app.kubernetes.io/instance: stack}
  ports:
    - {name: http, port: 8080, targetPort: http}
    - {name: metrics, port: 8081, targetPort: metrics}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: stack-kube-state-metrics, namespace: monitoring}
spec:
  selector: &kube-state-metrics
    matchLabels: {app.kubernetes.io/name: kube-state-metrics, app.kubernetes.io/instance: stack}
  template:
    metadata: {labels: {app.kubernetes.io/name: kube-state-metrics, app.kubernetes.io/instance: stack}}
    spec:
      containers:
        - name: kube-state-metrics
          image: kube-state-metrics
          ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 8081}]
---
apiVersion: v1
kind: Service
metadata:
  name: stack-prometheus-node-exporter
  namespace: monitoring
  labels: {app.kubernetes.io/name: prometheus-node-exporter}
spec:
  selector: {app.kubernetes.io/name: prometheus-node-exporter}
  ports: [{name: http-metrics, port: 9100, targetPort: 9100}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: stack-prometheus-node-exporter, namespace: monitoring}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: prometheus-node-exporter}}
  template:
    metadata: {labels: {app.kubernetes.io/name: prometheus-node-exporter, jobLabel: node-exporter}}
    spec:
      containers:
        - {name: node-exporter, image: node-exporter, ports: [{name: http-metrics, containerPort: 9100}]}
"""
TOKEN = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "prometheus-token",
        "namespace": "k8s-health-checker",
        "annotations": {"kubernetes.io/service-account.name": "prometheus"},
    },
    "type": "kubernetes.io/service-account-token",
}


@pytest.fixture
def cluster() -> Iterator[DevCluster]:
    """With the product and the exporters in it: the pods are there, what would run in them is not."""
    with testing.private_cluster(Settings(nodes=NODES)) as cluster:
        bodies = [body for path in MANIFESTS for body in yaml.safe_load_all(path.read_text(encoding="utf-8")) if body]
        bodies += yaml.safe_load_all(CHARTS)
        for body in sorted(bodies, key=lambda body: body["kind"] != "Namespace"):
            cluster.api.apply(body)
        yield cluster


def token_of_prometheus(cluster: DevCluster) -> str:
    cluster.api.create(TOKEN)
    secret: Object = {}

    def made() -> bool:
        secret.update(cluster.api.get(path_of(TOKEN)))
        return "token" in secret.get("data", {})

    wait_for("the token of Prometheus", made)
    return base64.b64decode(secret["data"]["token"]).decode()


def configured(cluster: DevCluster, token: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The shipped configuration of a Prometheus that has its account elsewhere and scrapes nothing: addresses of pods
    that do not exist may be somebody's here. And the file by which it finds its targets."""
    access = yaml.safe_load(cluster.kubeconfig.read_text())
    access["users"][0]["user"] = {"token": token}
    config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text(encoding="utf-8"))
    for job in config["scrape_configs"]:
        job["proxy_url"] = "http://127.0.0.1:9"
        if "tls_config" in job:
            job["tls_config"] = {"insecure_skip_verify": True}
        for discovery in job.get("kubernetes_sd_configs", ()):
            discovery["kubeconfig_file"] = "kubeconfig"
    return config, {"kubeconfig": yaml.safe_dump(access)}


def found(prometheus: Prometheus) -> list[dict[str, str]]:
    """The labels of each target."""
    answer = httpx.get(f"{prometheus.url}/api/v1/targets", params={"state": "active"}).json()
    return [each["labels"] for each in answer["data"]["activeTargets"]]


def counted(prometheus: Prometheus) -> Counter[str]:
    return Counter(each["job"] for each in found(prometheus))


def test_every_job_finds_its_targets_once(cluster: DevCluster) -> None:
    config, files = configured(cluster, token_of_prometheus(cluster))
    nodes = {each["metadata"]["name"] for each in cluster.api.items(collection("v1/nodes"))}
    of_nodes = dict.fromkeys(("kubelet", "cadvisor", "node-exporter"), NODES)
    of_replicas = dict.fromkeys(("health-monitor", "auto-healing", "alert-service"), 2)
    expected = {**of_nodes, **of_replicas, **dict.fromkeys(("kube-state-metrics", *ALONE), 1)}
    with Prometheus(config, files=files) as prometheus:
        wait_for(f"{expected}", lambda: counted(prometheus) == expected, 90)
        labels = found(prometheus)
    for job in of_nodes:
        assert {each["node"] for each in labels if each["job"] == job} == nodes
    for job in of_replicas:
        pods = {each["metadata"]["name"] for each in pods_of(cluster.api, f"k8s-health-checker/{job}")}
        assert {each["instance"] for each in labels if each["job"] == job} == pods
    assert {name for each in labels for name in each} == {"job", "instance", "node"}

    assert_may_read(cluster)


def assert_may_read(cluster: DevCluster) -> None:
    """The rights that scraping needs, which no discovery shows: those of the kubelets, the API server, the services."""
    asked = [
        {"resourceAttributes": {"resource": "nodes", "subresource": "metrics", "verb": "get"}},
        {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}},
        *(
            {"resourceAttributes": {"group": "k8s-health-checker", "resource": resource, "verb": "read"}}
            for resource in ("health_monitor", "auto_healing")
        ),
    ]
    for attributes in asked:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "metadata": {"name": ""},
            "spec": {"user": "system:serviceaccount:k8s-health-checker:prometheus", **attributes},
        }
        assert cluster.api.create(review)["status"]["allowed"], attributes

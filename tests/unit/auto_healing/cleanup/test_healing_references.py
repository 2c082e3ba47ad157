"""Who uses what: every known place of a reference, mentions in unknown places, and what may not be read."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_healing.actions.cleanup import shapes
from auto_healing.actions.cleanup.references import CLAIM, CONFIG_MAP, SECRET, SERVICE, References, Use, names_in
from auto_healing.actions.cleanup.sources import SOURCES, is_unknown
from auto_healing.actions.cleanup.uses import of_annotations
from common.contracts import ObjectKey

SOURCES_BY_KIND = {source.kind: source for source in SOURCES}
NAME = "wanted"


def looked_at(kind: str, body: dict[str, Any], *, namespace: str = "shop") -> References:
    """References with one object in them, as it comes from the API server."""
    source, references = SOURCES_BY_KIND[kind], References({NAME})
    whole = {"metadata": {"name": "user", "namespace": namespace, **body.pop("metadata", {})}, **body}
    item = msgspec.json.decode(msgspec.json.encode(whole), type=source.shape)
    used, words = source.extract(item)
    by = ObjectKey(kind, namespace, item.metadata.name)
    references.use(by, used)
    references.mention("it", words, source.kinds, by=by)
    references.mention("its annotations", of_annotations(item.metadata), by=by)
    return references


def use_of(references: References, kind: str, namespace: str = "shop") -> Use:
    return references.verdict(ObjectKey(kind, namespace, NAME)).use


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "volume", **source}], "containers": []}


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "app", **fields}]}


POD_SPECS: list[Any] = [
    pytest.param(volume(configMap={"name": NAME}), CONFIG_MAP, id="a ConfigMap is mounted"),
    pytest.param(volume(secret={"secretName": NAME}), SECRET, id="a Secret is mounted"),
    pytest.param(volume(persistentVolumeClaim={"claimName": NAME}), CLAIM, id="a claim is mounted"),
    pytest.param(
        volume(projected={"sources": [{"configMap": {"name": NAME}}]}), CONFIG_MAP, id="a ConfigMap is projected"
    ),
    pytest.param(volume(projected={"sources": [{"secret": {"name": NAME}}]}), SECRET, id="a Secret is projected"),
    pytest.param(volume(csi={"nodePublishSecretRef": {"name": NAME}}), SECRET, id="a CSI driver gets a Secret"),
    pytest.param(volume(azureFile={"secretName": NAME}), SECRET, id="Azure Files get a Secret"),
    pytest.param(volume(cephfs={"secretRef": {"name": NAME}}), SECRET, id="CephFS gets a Secret"),
    pytest.param(volume(iscsi={"secretRef": {"name": NAME}}), SECRET, id="iSCSI gets a Secret"),
    pytest.param(volume(rbd={"secretRef": {"name": NAME}}), SECRET, id="RBD gets a Secret"),
    pytest.param(
        container(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": NAME, "key": "a"}}}]),
        CONFIG_MAP,
        id="a variable comes from a ConfigMap",
    ),
    pytest.param(
        container(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": NAME, "key": "a"}}}]),
        SECRET,
        id="a variable comes from a Secret",
    ),
    pytest.param(container(envFrom=[{"configMapRef": {"name": NAME}}]), CONFIG_MAP, id="all variables of a ConfigMap"),
    pytest.param(container(envFrom=[{"secretRef": {"name": NAME}}]), SECRET, id="all variables of a Secret"),
    pytest.param(
        {"containers": [], "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": NAME}}]}]},
        SECRET,
        id="an init container uses it",
    ),
    pytest.param(
        {"containers": [], "ephemeralContainers": [{"name": "e", "envFrom": [{"configMapRef": {"name": NAME}}]}]},
        CONFIG_MAP,
        id="an ephemeral container uses it",
    ),
    pytest.param({"containers": [], "imagePullSecrets": [{"name": NAME}]}, SECRET, id="images are pulled with it"),
]


@pytest.mark.parametrize(("spec", "kind"), POD_SPECS)
def test_a_pod_uses_what_its_spec_refers_to(spec: dict[str, Any], kind: str) -> None:
    references = looked_at("Pod", {"spec": spec})
    assert use_of(references, kind) is Use.USED
    assert use_of(references, kind, namespace="other") is Use.UNUSED


WORKLOADS = {
    **{
        kind: lambda spec: {"spec": {"template": {"spec": spec}}}
        for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController")
    },
    "CronJob": lambda spec: {"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}},
    "PodTemplate": lambda spec: {"template": {"spec": spec}},
    "ControllerRevision": lambda spec: {"data": {"spec": {"template": {"spec": spec}}}},
}


@pytest.mark.parametrize("kind", WORKLOADS)
def test_the_template_of_every_workload_counts(kind: str) -> None:
    body = WORKLOADS[kind](volume(configMap={"name": NAME}))
    assert use_of(looked_at(kind, body), CONFIG_MAP) is Use.USED


def test_every_kind_that_makes_pods_is_tried() -> None:
    assert set(WORKLOADS) | {"Pod"} == {
        source.kind for source in SOURCES if source.shape in {shapes.PodItem, shapes.WorkloadItem, shapes.RevisionItem}
    }


SERVED = {"service": {"namespace": "shop", "name": NAME}}


@pytest.mark.parametrize(
    ("by", "body", "kind"),
    [
        pytest.param("ServiceAccount", {"secrets": [{"name": NAME}]}, SECRET, id="a token of an account"),
        pytest.param("ServiceAccount", {"imagePullSecrets": [{"name": NAME}]}, SECRET, id="pull secrets of an account"),
        pytest.param("Ingress", {"spec": {"tls": [{"secretName": NAME}]}}, SECRET, id="TLS of an Ingress"),
        pytest.param(
            "Ingress", {"spec": {"defaultBackend": {"service": {"name": NAME}}}}, SERVICE, id="a default backend"
        ),
        pytest.param(
            "Ingress",
            {"spec": {"rules": [{"http": {"paths": [{"backend": {"service": {"name": NAME}}}]}}]}},
            SERVICE,
            id="a path of an Ingress",
        ),
        pytest.param("StatefulSet", {"spec": {"serviceName": NAME}}, SERVICE, id="the Service of a StatefulSet"),
        pytest.param(
            "ValidatingWebhookConfiguration",
            {"webhooks": [{"clientConfig": SERVED}]},
            SERVICE,
            id="a validating webhook",
        ),
        pytest.param(
            "MutatingWebhookConfiguration", {"webhooks": [{"clientConfig": SERVED}]}, SERVICE, id="a mutating webhook"
        ),
        pytest.param("APIService", {"spec": SERVED}, SERVICE, id="an aggregated API"),
        pytest.param(
            "CustomResourceDefinition",
            {"spec": {"conversion": {"webhook": {"clientConfig": SERVED}}}},
            SERVICE,
            id="the conversion of a custom resource",
        ),
    ],
)
def test_what_else_is_used(by: str, body: dict[str, Any], kind: str) -> None:
    assert use_of(looked_at(by, body), kind) is Use.USED


@pytest.mark.parametrize(
    ("by", "body", "kind"),
    [
        pytest.param("Pod", {"spec": container(args=[f"--config=shop/{NAME}"])}, CONFIG_MAP, id="an argument"),
        pytest.param("Pod", {"spec": container(command=["run", NAME])}, SECRET, id="a command"),
        pytest.param(
            "Pod",
            {"spec": container(env=[{"name": "URL", "value": f"http://{NAME}.shop.svc:80/"}])},
            SERVICE,
            id="the host in a variable",
        ),
        pytest.param(
            "Pod",
            {"spec": container(lifecycle={"preStop": {"exec": {"command": ["sh", "-c", f"kubectl get cm {NAME}"]}}})},
            CONFIG_MAP,
            id="a command before the end",
        ),
        pytest.param(
            "Pod",
            {"spec": container(readinessProbe={"exec": {"command": ["curl", f"http://{NAME}"]}})},
            SERVICE,
            id="a command of a probe",
        ),
        pytest.param("ConfigMap", {"data": {"proxy": f"upstream {NAME}.shop:80;"}}, SERVICE, id="configuration"),
        pytest.param(
            "Service", {"metadata": {"annotations": {"lb.example.com/tls": NAME}}}, SECRET, id="an annotated Service"
        ),
        pytest.param(
            "Namespace", {"metadata": {"annotations": {"pull": f"shop/{NAME}"}}}, SECRET, id="an annotated Namespace"
        ),
        pytest.param("Pod", {"spec": volume(futureVolume={"ref": NAME})}, SECRET, id="a volume of an unknown sort"),
        pytest.param(
            "Pod",
            {"spec": volume(csi={"driver": "vault", "volumeAttributes": {"from": NAME}})},
            SECRET,
            id="an attribute for a CSI driver",
        ),
        pytest.param(
            "Role",
            {"rules": [{"resources": ["configmaps"], "resourceNames": [NAME]}]},
            CONFIG_MAP,
            id="a right to read it by name",
        ),
        pytest.param(
            "Ingress",
            {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/auth-secret": f"shop/{NAME}"}}},
            SECRET,
            id="an annotation",
        ),
        pytest.param(
            "MutatingWebhookConfiguration",
            {"metadata": {"annotations": {"cert-manager.io/inject-ca-from-secret": f"shop/{NAME}"}}},
            SECRET,
            id="a certificate that is injected into a webhook",
        ),
    ],
)
def test_what_only_names_it_leaves_it_unproven(by: str, body: dict[str, Any], kind: str) -> None:
    references = looked_at(by, body)
    assert use_of(references, kind) is Use.UNPROVEN


def test_nothing_proves_its_own_use() -> None:
    own = {"metadata": {"name": NAME, "annotations": {"title": NAME}}, "data": {"self": NAME}}
    assert use_of(looked_at("ConfigMap", own), CONFIG_MAP) is Use.UNUSED
    assert use_of(looked_at("ConfigMap", {**own, "metadata": {"name": NAME}}), SECRET) is Use.UNPROVEN


@pytest.mark.parametrize(
    "key", ["grafana_dashboard", "example.com/dashboard", "dashboard", "example.com/Dash_Board.v2"]
)
def test_the_label_that_a_program_is_told_to_look_for_is_a_mention(key: str) -> None:
    source, references = SOURCES_BY_KIND["Deployment"], References({NAME}, {key})
    spec = container(env=[{"name": "LABEL", "value": key}], args=["--verbose"])
    item = msgspec.json.decode(
        msgspec.json.encode({"metadata": {}, **WORKLOADS["Deployment"](spec)}), type=source.shape
    )
    references.mention("Deployment shop/sidecar", source.extract(item)[1])
    assert references.mentioned(CONFIG_MAP, key) == "Deployment shop/sidecar"
    assert not references.mentioned(CONFIG_MAP, f"{key}s")
    assert use_of(references, CONFIG_MAP) is Use.UNUSED


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"secretName":"wanted"}', id="a field"),
        pytest.param('{"ref":"shop/wanted"}', id="with its namespace"),
        pytest.param('{"script":"one\\nwanted\\ttwo"}', id="after an escaped line break"),
        pytest.param('{"html":"\\u003cwanted\\u003e"}', id="between escaped brackets"),
        pytest.param('{"host":"wanted.shop.svc.cluster.local"}', id="as a host"),
        pytest.param('{"sentence":"It needs wanted."}', id="before a full stop"),
    ],
)
def test_a_page_of_unknown_objects_names_it(text: str) -> None:
    assert References({NAME}).words_in(text) == {NAME}


@pytest.mark.parametrize("text", ['{"name":"wanted-2"}', '{"name":"unwanted"}', '{"name":"Wanted"}', "{}"])
def test_a_longer_word_does_not(text: str) -> None:
    assert References({NAME}).words_in(text) == frozenset()


def test_what_may_not_be_read_proves_nothing_to_be_unused() -> None:
    references = References({NAME})
    assert use_of(references, SECRET) is Use.UNUSED
    references.blind("objects of kind Certificate (forbidden)", {SECRET})
    verdict = references.verdict(ObjectKey(SECRET, "shop", NAME))
    assert verdict.use is Use.UNPROVEN
    assert "Certificate" in verdict.reason
    assert use_of(references, CONFIG_MAP) is Use.UNUSED


def test_objects_that_were_not_looked_for_have_no_verdict() -> None:
    with pytest.raises(KeyError):
        References({NAME}).verdict(ObjectKey(SECRET, "shop", "another"))


@pytest.mark.parametrize(
    ("root", "kind", "unknown"),
    [
        pytest.param("/api/v1", "Pod", False, id="pods are known"),
        pytest.param("/api/v1", "Event", False, id="events use nothing"),
        pytest.param("/apis/serving.knative.dev/v1", "Service", True, id="a custom Service is not ours"),
        pytest.param("/apis/example.com/v1", "Deployment", True, id="a custom Deployment is unknown"),
        pytest.param("/apis/cert-manager.io/v1", "Certificate", True, id="a custom resource is unknown"),
        pytest.param("/apis/storage.k8s.io/v1", "StorageClass", True, id="a StorageClass may name Secrets"),
        pytest.param("/apis/new.k8s.io/v1", "Novelty", True, id="a kind of a later Kubernetes is unknown"),
    ],
)
def test_which_kinds_are_searched(root: str, kind: str, unknown: bool) -> None:
    assert is_unknown(root, kind) is unknown


_names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
_anything = st.recursive(
    st.text(max_size=20), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
)


@given(name=_names, before=st.sampled_from(["", "/", "\n", '"', "<", "é", "A", " ", "://"]), around=_anything)
def test_no_way_of_writing_a_name_into_an_unknown_object_hides_it(name: str, before: str, around: Any) -> None:
    page = msgspec.json.encode({"items": [{"spec": [around, f"{before}{name}"]}]}).decode()
    assert name in set(names_in(page))


@given(specs=st.lists(st.sampled_from([each.values[0] for each in POD_SPECS]), min_size=1, max_size=5))
def test_nothing_that_a_pod_refers_to_is_ever_unused(specs: list[dict[str, Any]]) -> None:
    source, references = SOURCES_BY_KIND["Pod"], References({NAME})
    for number, spec in enumerate(specs):
        body = {"metadata": {"name": f"pod-{number}", "namespace": "shop"}, "spec": spec}
        item = msgspec.json.decode(msgspec.json.encode(body), type=source.shape)
        used, words = source.extract(item)
        references.use(ObjectKey("Pod", "shop", f"pod-{number}"), used)
        references.mention("it", words)
    for spec in specs:
        (kind,) = [each.values[1] for each in POD_SPECS if each.values[0] == spec]
        assert use_of(references, kind) is not Use.UNUSED

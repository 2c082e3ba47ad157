"""Finds the references in what was decoded. Pure.

Parts that pods of one workload share are looked up by their bytes instead of being decoded again.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from auto_healing.actions.cleanup.references import CLAIM, CONFIG_MAP, SECRET, SERVICE, is_everywhere, names_in
from auto_healing.actions.cleanup.shapes import (
    AccountItem,
    ConfigItem,
    Container,
    IngressItem,
    Item,
    Meta,
    Named,
    PodItem,
    PodSpec,
    RevisionItem,
    RoleItem,
    ServedItem,
    Source,
    Template,
    WebhookItem,
    WorkloadItem,
    WorkloadSpec,
)
from common.contracts import ObjectKey

_OWN_WORDS = "kubectl.kubernetes.io/last-applied-configuration"  # says again what the object itself says
# Sources of volumes that name no other object of the cluster.
_HARMLESS_VOLUMES = frozenset(
    {
        "name",
        "awsElasticBlockStore",
        "azureDisk",
        "downwardAPI",
        "emptyDir",
        "ephemeral",  # its claim belongs to the pod
        "fc",
        "flocker",
        "gcePersistentDisk",
        "gitRepo",
        "glusterfs",
        "hostPath",
        "image",
        "nfs",
        "photonPersistentDisk",
        "portworxVolume",
        "quobyte",
        "vsphereVolume",
    }
)
_KNOWN_VOLUMES = frozenset(
    {
        "azureFile",
        "cephfs",
        "cinder",
        "configMap",
        "csi",
        "flexVolume",
        "iscsi",
        "persistentVolumeClaim",
        "projected",
        "rbd",
        "scaleIO",
        "secret",
        "storageos",
    }
)
_PLURALS = frozenset({"configmaps", "secrets", "persistentvolumeclaims", "services"})


class Parts(NamedTuple):
    """What a part of a pod refers to by kind and name, and words that may be names."""

    used: frozenset[tuple[str, str]] = frozenset()
    words: frozenset[str] = frozenset()


Found = Iterable[ObjectKey]


def of_pod(item: PodItem) -> tuple[Found, frozenset[str]]:
    return _in_namespace(item, parts_of(item.spec))


def of_workload(item: WorkloadItem) -> tuple[Found, frozenset[str]]:
    used, words = _in_namespace(item, parts_of_workload(item.spec, item.template))
    if item.spec.service_name:
        used = [*used, ObjectKey(SERVICE, item.metadata.namespace, item.spec.service_name)]
    return used, words


def of_revision(item: RevisionItem) -> tuple[Found, frozenset[str]]:
    return _in_namespace(item, parts_of_workload(item.data.spec, None))


def of_config(item: ConfigItem) -> tuple[Found, frozenset[str]]:
    """Configuration names Services, Secrets and other configuration."""
    return (), frozenset() if is_everywhere(item.metadata.name) else frozenset(names_in(bytes(item.data).decode()))


def of_metadata(item: Item) -> tuple[Found, frozenset[str]]:
    return (), frozenset()


def of_account(item: AccountItem) -> tuple[Found, frozenset[str]]:
    named = (*(item.secrets or ()), *(item.image_pull_secrets or ()))
    return [ObjectKey(SECRET, item.metadata.namespace, each.name) for each in named if each.name], frozenset()


def of_ingress(item: IngressItem) -> tuple[Found, frozenset[str]]:
    namespace, spec = item.metadata.namespace, item.spec
    backends = [path.backend for rule in spec.rules or () if rule.http for path in rule.http.paths or ()]
    backends += [spec.default_backend] if spec.default_backend else []
    services = [each.service.name for each in backends if each.service and each.service.name]
    secrets = [each.secret_name for each in spec.tls or () if each.secret_name]
    return (
        [ObjectKey(SERVICE, namespace, name) for name in services]
        + [ObjectKey(SECRET, namespace, name) for name in secrets],
        frozenset(),
    )


def of_webhooks(item: WebhookItem) -> tuple[Found, frozenset[str]]:
    return _services(each.client_config.service for each in item.webhooks or () if each.client_config), frozenset()


def of_served(item: ServedItem) -> tuple[Found, frozenset[str]]:
    conversion = item.spec.conversion
    webhook = conversion.webhook if conversion else None
    client = webhook.client_config if webhook else None
    return _services([item.spec.service, client.service if client else None]), frozenset()


def of_role(item: RoleItem) -> tuple[Found, frozenset[str]]:
    """Who is allowed to read an object by its name is likely to do it."""
    return (), frozenset(
        name
        for rule in item.rules or ()
        if not _PLURALS.isdisjoint(rule.resources or ())
        for name in rule.resource_names or ()
    )


def of_annotations(meta: Meta) -> frozenset[str]:
    """Words that may be names, as Ingress controllers and reloaders take them."""
    return _annotation_words(bytes(meta.annotations)) if meta.annotations else frozenset()


def parts_of(spec: PodSpec) -> Parts:
    used: set[tuple[str, str]] = {(SECRET, each.name) for each in spec.image_pull_secrets or () if each.name}
    words: set[str] = set()
    containers = (spec.containers, spec.init_containers, spec.ephemeral_containers)
    parts = (_volume(bytes(raw)) for raw in spec.volumes or ())
    for part in (*parts, *(_containers(bytes(raw)) for raw in containers)):
        used |= part.used
        words |= part.words
    return Parts(frozenset(used), frozenset(words))


def parts_of_workload(spec: WorkloadSpec, template: Template | None) -> Parts:
    found = template_of(spec, template)
    return parts_of(found.spec) if found and found.spec else Parts()


def template_of(spec: WorkloadSpec, template: Template | None) -> Template | None:
    """What a workload makes its pods from."""
    if spec.job_template and spec.job_template.spec:
        return spec.job_template.spec.template
    return template or spec.template


@lru_cache(maxsize=16_384)
def _volume(raw: bytes) -> Parts:
    used: set[tuple[str, str]] = set()
    words: set[str] = set()
    for kind, source in _VOLUME.decode(raw).items():
        if kind in _HARMLESS_VOLUMES:
            continue
        if kind not in _KNOWN_VOLUMES:
            words.update(names_in(bytes(source).decode()))
            continue
        known: Source = _SOURCE.decode(source)
        used.update(_of_source(kind, known))
        for free in ((known.volume_attributes or {}), (known.options or {})):
            words.update(word for value in free.values() for word in names_in(value))
    return Parts(frozenset(used), frozenset(words))


def _of_source(kind: str, source: Source) -> Iterator[tuple[str, str]]:
    if kind == "configMap" and source.name:
        yield CONFIG_MAP, source.name
    if source.claim_name:
        yield CLAIM, source.claim_name
    secrets = (source.secret_ref, source.node_publish_secret_ref)
    for name in (source.secret_name, *(each.name for each in secrets if each)):
        if name:
            yield SECRET, name
    for projection in source.sources or ():
        yield from _pair(projection.config_map, projection.secret)


@lru_cache(maxsize=8_192)
def _containers(raw: bytes) -> Parts:
    used: set[tuple[str, str]] = set()
    words: set[str] = set()
    for container in _CONTAINERS.decode(raw) or ():
        for variable in container.env or ():
            if variable.value_from:
                used.update(_pair(variable.value_from.config_map_key_ref, variable.value_from.secret_key_ref))
            words.update(names_in(variable.value or ""))
        for variables in container.env_from or ():
            used.update(_pair(variables.config_map_ref, variables.secret_ref))
        for text in (*(container.command or ()), *(container.args or ()), *_hooks(container)):
            words.update(names_in(text))
    return Parts(frozenset(used), frozenset(words))


def _hooks(container: Container) -> Iterator[str]:
    probes = (container.liveness_probe, container.readiness_probe, container.startup_probe)
    yield from (bytes(raw).decode() for raw in (container.lifecycle, *probes))


@lru_cache(maxsize=8_192)
def _annotation_words(raw: bytes) -> frozenset[str]:
    annotations: Mapping[str, str] = _ANNOTATIONS.decode(raw) or {}
    return frozenset(word for key, value in annotations.items() if key != _OWN_WORDS for word in names_in(value))


def _pair(config_map: Named | None, secret: Named | None) -> Iterator[tuple[str, str]]:
    if config_map and config_map.name:
        yield CONFIG_MAP, config_map.name
    if secret and secret.name:
        yield SECRET, secret.name


def _services(found: Iterable[Named | None]) -> list[ObjectKey]:
    return [ObjectKey(SERVICE, each.namespace or "", each.name) for each in found if each and each.name]


def _in_namespace(item: Item, parts: Parts) -> tuple[Found, frozenset[str]]:
    return [ObjectKey(kind, item.metadata.namespace, name) for kind, name in parts.used], parts.words


_VOLUME: Any = msgspec.json.Decoder(dict[str, Raw])
_SOURCE: Any = msgspec.json.Decoder(Source)
_CONTAINERS: Any = msgspec.json.Decoder(tuple[Container, ...] | None)
_ANNOTATIONS: Any = msgspec.json.Decoder(dict[str, str] | None)

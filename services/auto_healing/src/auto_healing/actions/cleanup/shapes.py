"""What of each kind can refer to something else, as shapes to decode. Parts that repeat stay raw, to be looked up."""

from msgspec import Raw, Struct

NONE = Raw(b"null")


class _Shape(Struct, frozen=True, gc=False, rename="camel"): ...


class Named(_Shape, frozen=True, gc=False, rename="camel"):
    name: str | None = None
    namespace: str | None = None


class _Keys(_Shape, frozen=True, gc=False, rename="camel"):
    config_map_key_ref: Named | None = None
    secret_key_ref: Named | None = None


class _Variable(_Shape, frozen=True, gc=False, rename="camel"):
    value: str | None = None
    value_from: _Keys | None = None


class _Variables(_Shape, frozen=True, gc=False, rename="camel"):
    config_map_ref: Named | None = None
    secret_ref: Named | None = None


class Container(_Shape, frozen=True, gc=False, rename="camel"):
    env: tuple[_Variable, ...] | None = None
    env_from: tuple[_Variables, ...] | None = None
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    lifecycle: Raw = NONE  # this and probes may run commands
    liveness_probe: Raw = NONE
    readiness_probe: Raw = NONE
    startup_probe: Raw = NONE


class Projection(_Shape, frozen=True, gc=False, rename="camel"):
    config_map: Named | None = None
    secret: Named | None = None


class Source(_Shape, frozen=True, gc=False, rename="camel"):
    """Whatever a volume comes from; each source has some of these."""

    name: str | None = None  # of a ConfigMap
    secret_name: str | None = None
    secret_ref: Named | None = None
    node_publish_secret_ref: Named | None = None
    claim_name: str | None = None
    volume_attributes: dict[str, str] | None = None  # for a CSI driver, which makes of them what it likes
    options: dict[str, str] | None = None  # of a flexVolume
    sources: tuple[Projection, ...] | None = None


class PodSpec(_Shape, frozen=True, gc=False, rename="camel"):
    volumes: tuple[Raw, ...] | None = None
    containers: Raw = NONE
    init_containers: Raw = NONE
    ephemeral_containers: Raw = NONE
    image_pull_secrets: tuple[Named, ...] | None = None


class Template(_Shape, frozen=True, gc=False, rename="camel"):
    metadata: Raw = NONE
    spec: PodSpec | None = None


class _TemplateHolder(_Shape, frozen=True, gc=False, rename="camel"):
    template: Template | None = None


class _JobTemplate(_Shape, frozen=True, gc=False, rename="camel"):
    spec: _TemplateHolder | None = None


class WorkloadSpec(_Shape, frozen=True, gc=False, rename="camel"):
    """Of everything that makes pods."""

    template: Template | None = None
    job_template: _JobTemplate | None = None  # CronJob
    service_name: str | None = None  # StatefulSet


class Meta(_Shape, frozen=True, gc=False, rename="camel"):
    name: str = ""
    namespace: str = ""
    annotations: Raw = NONE


class Item(_Shape, frozen=True, gc=False, rename="camel"):
    """Base: of every object."""

    metadata: Meta


class PodItem(Item, frozen=True, gc=False, rename="camel"):
    spec: PodSpec = PodSpec()


class WorkloadItem(Item, frozen=True, gc=False, rename="camel"):
    spec: WorkloadSpec = WorkloadSpec()
    template: Template | None = None  # PodTemplate has no spec


class _Revision(_Shape, frozen=True, gc=False, rename="camel"):
    spec: WorkloadSpec = WorkloadSpec()


class RevisionItem(Item, frozen=True, gc=False, rename="camel"):
    """An earlier template of a StatefulSet or DaemonSet, which may be rolled back to."""

    data: _Revision = _Revision()


class ConfigItem(Item, frozen=True, gc=False, rename="camel"):
    """What a ConfigMap says is read for names alone."""

    data: Raw = NONE


class AccountItem(Item, frozen=True, gc=False, rename="camel"):
    secrets: tuple[Named, ...] | None = None
    image_pull_secrets: tuple[Named, ...] | None = None


class _Backend(_Shape, frozen=True, gc=False, rename="camel"):
    service: Named | None = None


class _IngressPath(_Shape, frozen=True, gc=False, rename="camel"):
    backend: _Backend = _Backend()


class _IngressPaths(_Shape, frozen=True, gc=False, rename="camel"):
    paths: tuple[_IngressPath, ...] | None = None


class _IngressRule(_Shape, frozen=True, gc=False, rename="camel"):
    http: _IngressPaths | None = None


class _IngressTls(_Shape, frozen=True, gc=False, rename="camel"):
    secret_name: str | None = None


class _IngressSpec(_Shape, frozen=True, gc=False, rename="camel"):
    tls: tuple[_IngressTls, ...] | None = None
    rules: tuple[_IngressRule, ...] | None = None
    default_backend: _Backend | None = None


class IngressItem(Item, frozen=True, gc=False, rename="camel"):
    spec: _IngressSpec = _IngressSpec()


class _Client(_Shape, frozen=True, gc=False, rename="camel"):
    service: Named | None = None


class _Webhook(_Shape, frozen=True, gc=False, rename="camel"):
    client_config: _Client | None = None


class WebhookItem(Item, frozen=True, gc=False, rename="camel"):
    webhooks: tuple[_Webhook, ...] | None = None


class _Conversion(_Shape, frozen=True, gc=False, rename="camel"):
    webhook: _Webhook | None = None


class _ServedSpec(_Shape, frozen=True, gc=False, rename="camel"):
    service: Named | None = None  # APIService
    conversion: _Conversion | None = None  # CustomResourceDefinition


class ServedItem(Item, frozen=True, gc=False, rename="camel"):
    """What another server answers for."""

    spec: _ServedSpec = _ServedSpec()


class _RoleRule(_Shape, frozen=True, gc=False, rename="camel"):
    resources: tuple[str, ...] | None = None
    resource_names: tuple[str, ...] | None = None


class RoleItem(Item, frozen=True, gc=False, rename="camel"):
    rules: tuple[_RoleRule, ...] | None = None

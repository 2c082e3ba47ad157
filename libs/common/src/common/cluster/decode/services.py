"""Services and the EndpointSlices that say what stands behind them."""

from msgspec import Raw, field

from common.cluster.decode.meta import ABSENT, Meta, Shape, head, labels_of, word
from common.cluster.rows import EndpointSliceRow, ServiceRow

SERVICE_NAME = "kubernetes.io/service-name"


class ServiceSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    selector: Raw = ABSENT
    cluster_ip: str | None = field(name="clusterIP", default=None)
    type: str | None = None


class ServiceShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    spec: ServiceSpecShape = ServiceSpecShape()


def service_row(service: ServiceShape) -> ServiceRow:
    spec = service.spec
    return ServiceRow(
        **head(service.metadata),
        type=word(spec.type),
        selector=labels_of(spec.selector),
        headless=spec.cluster_ip == "None",
    )


class EndpointConditionsShape(Shape, frozen=True, gc=False, rename="camel"):
    ready: bool | None = None


class EndpointShape(Shape, frozen=True, gc=False, rename="camel"):
    conditions: EndpointConditionsShape = EndpointConditionsShape()


class EndpointSliceShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    endpoints: tuple[EndpointShape, ...] | None = None


def endpoint_slice_row(part: EndpointSliceShape) -> EndpointSliceRow:
    """An endpoint that says nothing counts as ready, as the API's documentation asks of consumers."""
    endpoints = part.endpoints or ()
    not_ready = sum(endpoint.conditions.ready is False for endpoint in endpoints)
    return EndpointSliceRow(
        **head(part.metadata),
        service=labels_of(part.metadata.labels).get(SERVICE_NAME, ""),
        ready=len(endpoints) - not_ready,
        not_ready=not_ready,
    )

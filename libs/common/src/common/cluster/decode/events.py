"""Warning Events, of both writers: those that count in `count`, and those that count in `series`."""

from common.cluster.decode.meta import Meta, Shape, cut, head, instant_or_none, word
from common.cluster.rows import EventRow
from common.contracts.objects import ObjectKey


class AboutShape(Shape, frozen=True, gc=False, rename="camel"):
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    field_path: str | None = None


class SeriesShape(Shape, frozen=True, gc=False, rename="camel"):
    count: int | None = None
    last_observed_time: str | None = None


class EventShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    involved_object: AboutShape = AboutShape()
    reason: str | None = None
    message: str | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    count: int | None = None
    event_time: str | None = None
    series: SeriesShape | None = None


def event_row(event: EventShape) -> EventRow:
    about, series = event.involved_object, event.series or SeriesShape()
    first = event.first_timestamp or event.event_time or event.metadata.creation_timestamp
    return EventRow(
        **head(event.metadata),
        about=ObjectKey(word(about.kind), word(about.namespace), about.name or ""),
        about_uid=about.uid or "",
        reason=word(event.reason),
        message=cut(event.message),
        field_path=word(about.field_path),
        count=series.count or event.count or 1,
        first_at=instant_or_none(first),
        last_at=instant_or_none(series.last_observed_time or event.last_timestamp or first),
    )

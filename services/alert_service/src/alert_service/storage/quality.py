"""What people say about alerts, and the figures of how alerts fare."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.explaining.quality import QUICKLY_SECONDS, Tally
from alert_service.incidents.incident import Incident
from alert_service.storage.models import vote as vote_table


async def vote(connection: AsyncConnection, incident: Incident, person: str, *, noisy: bool, at: datetime) -> None:
    """One for each person and incident: the last counts."""
    row = {"incident_id": incident.id, "person": person, "alertname": incident.alertname, "noisy": noisy, "at": at}
    statement = insert(vote_table).values(row)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["incident_id", "person"], set_={"noisy": noisy, "at": at})
    )


async def tallies(connection: AsyncConnection, since: datetime, *, rule: str | None = None) -> list[Tally]:
    """Of each rule whose incidents opened since, in the order of their names."""
    rows = await connection.execute(_TALLIES, {"since": since, "rule": rule, "quickly": QUICKLY_SECONDS})
    return [Tally(**row._mapping) for row in rows]


# What happened to each incident, then each rule's incidents. An incident reopened keeps its opening and its history.
_TALLIES = text(
    """
    WITH opened AS (
        SELECT id, state, opened_at, resolved_at, jsonb_array_length(coalesce(value -> 'channels', '[]')) > 0 AS told
        FROM incident WHERE opened_at >= :since
    ),
    happened AS (
        SELECT incident_id,
               min(at) FILTER (WHERE kind = 'acknowledged') AS acknowledged_at,
               bool_or(kind = 'healing' AND details ->> 'kind' = 'healed') AS healed,
               bool_or(kind = 'escalated') AS escalated,
               bool_or(kind = 'resolved' AND by <> '') AS by_hand
        FROM timeline JOIN opened ON opened.id = incident_id
        WHERE kind IN ('acknowledged', 'healing', 'escalated', 'resolved')
        GROUP BY incident_id
    ),
    ruled AS (
        SELECT DISTINCT alertname AS rule, incident_id FROM member JOIN opened ON opened.id = incident_id
        WHERE alertname <> '' AND (CAST(:rule AS text) IS NULL OR alertname = :rule)
    ),
    fared AS (
        SELECT rule, opened.*, acknowledged_at, coalesce(healed, false) AS healed,
               coalesce(escalated, false) AS escalated,
               state = 'resolved' AND acknowledged_at IS NULL AND NOT coalesce(by_hand, false) AS unacted
        FROM ruled JOIN opened ON opened.id = ruled.incident_id LEFT JOIN happened ON happened.incident_id = opened.id
    ),
    voted AS (
        SELECT rule, count(*) FILTER (WHERE noisy) AS noisy, count(*) FILTER (WHERE NOT noisy) AS useful
        FROM ruled JOIN vote ON vote.incident_id = ruled.incident_id AND vote.alertname = rule
        GROUP BY rule
    )
    SELECT rule,
           count(*) AS incidents,
           count(*) FILTER (WHERE told) AS told,
           count(acknowledged_at) AS acknowledged,
           count(*) FILTER (WHERE healed) AS healed,
           count(*) FILTER (WHERE unacted AND NOT healed) AS self_resolved,
           count(*) FILTER (
               WHERE unacted AND NOT healed AND resolved_at - opened_at <= make_interval(secs => :quickly)
           ) AS quickly,
           count(*) FILTER (WHERE told AND unacted) AS in_vain,
           count(*) FILTER (WHERE escalated) AS escalated,
           count(*) FILTER (WHERE state <> 'resolved') AS open,
           CAST(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM acknowledged_at - opened_at))
                AS double precision) AS ack_seconds,
           coalesce(max(noisy), 0) AS noisy,
           coalesce(max(useful), 0) AS useful
    FROM fared LEFT JOIN voted USING (rule)
    GROUP BY rule ORDER BY rule
    """
)

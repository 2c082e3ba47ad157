"""The reference of policy files in Markdown, made from the schema and from what holds without a file."""

from alert_service.policy.schema import policy_json_schema
from alert_service.policy.settings import AlertPolicy
from common.docs.policy import policy_tables

EXAMPLE = """\
version: 1
channels:
  sre: {kind: slack, conversation: "#sre", fallback: sre-teams}
  sre-teams: {kind: teams, secret: sre-teams}
routes:
  - {name: payments, match: ['namespace=~"payments|checkout"'], channels: [sre], escalation: payments}
  - {name: pages, severities: [critical], channels: [sre], escalation: on-call}
  - {name: rest, channels: [sre]}
escalations:
  on-call:
    steps:
      - {after: 5m, people: [ana], channels: [sre]}
      - {after: 15m, people: [ana, ben], channels: [sre, sre-teams], ack: all}
    repeat: 2
  payments:
    steps:
      - {after: 5m, people: [ben], channels: [sre], hours: office}
hours:
  office: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], start: "08:00", end: "18:00"}
people:
  ana: {identity: ana@example.com, slack: U023BECGF, rights: [acknowledge, silence, escalate, approve, deny]}
  ben: {identity: ben@example.com, slack: U061F7AUR}
maintenance:
  - {name: weekly-patches, match: ['zone="eu-1a"'], cron: 0 2 * * sun, zone: Europe/Berlin, lasts: 2h}
heartbeats:
  - {name: watchdog}
"""

_INTRODUCTION = """\
# Routing and escalation

Who is told of what, how, and who may do what about it. Name the file in `ALERT_SERVICE_POLICY__FILE`. It is read again
whenever it changes; one with mistakes changes nothing, and all its mistakes are told with their places: in the log, by
`/readyz` and by `GET /api/v1/policy`. `alert-service policy check FILE`, or `POST /api/v1/policy/check`, checks a file
before it is rolled out, and [alerting-policy.schema.json](alerting-policy.schema.json) lets an editor complete it:

```yaml
# yaml-language-server: $schema=alerting-policy.schema.json
{example}```

Durations are whole numbers with units: `90s`, `5m`, `1h30m`, `2d`. Matchers are Alertmanager's, over the labels of
each alert. No secret stands in this file: `secret` is the name of one in the settings of the
process.

## How an incident finds its people

Routes are asked in their order; the first that matches gives channels and escalation, unless it says `continue`. They
are asked for each alert of an incident: where a group holds those of several teams, each of them is told.

Who would be told of any labels at any time, and why, a file tells by itself:

```sh
alert-service policy explain policy.yaml alertname=NodeNotReady severity=critical --at 2026-12-06T03:00:00+01:00
```

`POST /api/v1/explain` tells it of the running service, which knows what is silenced and what else is open, and `GET
/api/v1/alerts/FINGERPRINT/explain` of an alert that fires.
"""


def policy_reference() -> str:
    holds = AlertPolicy().model_dump(mode="json", by_alias=True)
    return f"{_INTRODUCTION.format(example=EXAMPLE)}\n{policy_tables(policy_json_schema(), holds)}"

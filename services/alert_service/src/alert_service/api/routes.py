"""All routes, in the order in which the documentation lists them."""

from alert_service.api import (
    deliveries,
    explain,
    heartbeats,
    incidents,
    links,
    policy,
    quality,
    rehearsals,
    silences,
    slack,
    templates,
    webhooks,
)

ROUTERS = (
    webhooks.router,
    slack.router,
    links.router,
    incidents.router,
    explain.router,
    silences.router,
    heartbeats.router,
    deliveries.router,
    quality.router,
    rehearsals.router,
    policy.router,
    templates.router,
)

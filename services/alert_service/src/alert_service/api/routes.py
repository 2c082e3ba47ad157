"""All routes, in the order in which the documentation lists them."""

from alert_service.api import deliveries, heartbeats, incidents, policy, rehearsals, templates, webhooks

ROUTERS = (
    webhooks.router,
    incidents.router,
    heartbeats.router,
    deliveries.router,
    rehearsals.router,
    policy.router,
    templates.router,
)

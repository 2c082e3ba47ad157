"""All routes, in the order in which the documentation lists them."""

from alert_service.api import deliveries, incidents, policy, rehearsals, templates, webhooks

ROUTERS = (webhooks.router, incidents.router, deliveries.router, rehearsals.router, policy.router, templates.router)

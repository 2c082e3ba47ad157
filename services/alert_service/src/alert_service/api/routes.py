"""All routes, in the order in which the documentation lists them."""

from alert_service.api import incidents, policy, templates, webhooks

ROUTERS = (webhooks.router, incidents.router, policy.router, templates.router)

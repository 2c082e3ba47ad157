"""All routes, in the order in which the documentation lists them."""

from alert_service.api import policy, webhooks

ROUTERS = (webhooks.router, policy.router)

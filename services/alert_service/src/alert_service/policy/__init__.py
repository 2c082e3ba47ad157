"""Who is told of what, and who may do what about it."""

from alert_service.policy.settings import AlertPolicy

__all__ = ["AlertPolicy"]

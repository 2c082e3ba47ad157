"""All routes of the service, in the order of the documentation."""

from health_monitor.api import checks, events, explain, findings, history, objects, stream, subscriptions

ROUTERS = (
    objects.router,
    findings.router,
    explain.router,
    events.router,
    stream.router,
    history.router,
    subscriptions.router,
    checks.router,
)

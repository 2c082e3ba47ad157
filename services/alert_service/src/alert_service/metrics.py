"""What the service counts and times. Observed by the shells from what happened, never inside a decision."""

from common.metrics import ServiceMetrics

SERVICE = "alert_service"

# To a vendor in the same region within a second, after an outage within hours.
_DELIVERY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_CLICK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5)
_PEOPLE_BUCKETS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)


class Metrics:
    """All counters and histograms of the service."""

    def __init__(self, service: ServiceMetrics) -> None:
        self.service = service
        self.registry = service.registry
        self.received = service.counter("received", "Posts, notices and events stored by this replica.", ("source",))
        self.refused = service.counter(
            "refused",
            "Posts, notices, events, presses and links that were not taken.",
            ("source", "reason"),
        )
        self.alerts = service.counter("alerts", "Alerts that took effect, by status.", ("status",))
        self.duplicates = service.counter("duplicates", "Posts that said nothing new: retries and peers.", ("source",))
        self.unreadable = service.counter("unreadable", "What was stored and could not be read.", ("source",))
        self.incidents = service.counter("incidents", "Incidents opened, by severity.", ("severity",))
        self.notified = service.counter("notifications", "Messages queued, by reason.", ("channel", "reason"))
        self.suppressed = service.counter("suppressed", "Times that nobody was told, by reason.", ("reason",))
        self.deliveries = service.counter(
            "deliveries", "Attempts to send, by channel and result.", ("channel", "result")
        )
        self.delivery_seconds = service.histogram(
            "delivery_seconds",
            "From what led to a message coming in to the vendor taking it.",
            ("channel",),
            buckets=_DELIVERY_BUCKETS,
        )
        self.template_failures = service.counter(
            "template_failures", "Cards for which a template of the user's could not be used.", ("template",)
        )
        self.clicks = service.counter("clicks", "Presses of buttons and links, by act and result.", ("act", "result"))
        self.click_seconds = service.histogram(
            "click_answer_seconds", "Time to acknowledge a click; Slack gives up after 3 s.", buckets=_CLICK_BUCKETS
        )
        self.ack_seconds = service.histogram(
            "time_to_acknowledge_seconds",
            "From the opening of an incident to its acknowledgement.",
            ("severity",),
            buckets=_PEOPLE_BUCKETS,
        )
        self.escalations = service.counter("escalations", "Steps of escalations taken.", ("policy", "step"))
        self.reconciled = service.counter(
            "reconciled", "Incidents put right by comparing with Alertmanager.", ("what",)
        )
        self.canaries = service.counter("canaries", "Canaries, by channel and result.", ("channel", "result"))
        self.open_incidents = service.gauge("open_incidents", "Incidents that are not resolved.", ("state", "severity"))
        self.waiting_inbox = service.gauge("inbox_waiting", "Posts, notices and events that took no effect yet.")
        self.waiting_deliveries = service.gauge(
            "deliveries_waiting", "Messages that are not sent yet, by channel.", ("channel",)
        )
        self.dead_deliveries = service.gauge(
            "deliveries_dead", "Messages given up and not sent again, by channel.", ("channel",)
        )
        self.storms = service.gauge("storms", "Channels on which a storm is told by one card.")
        self.heard = service.gauge(
            "heard_timestamp_seconds", "When a source that is read by cursor last answered, Unix time.", ("source",)
        )
        self.heartbeat = service.gauge("heartbeat_missing", "1 while a heartbeat is missing, by its name.", ("name",))
        self.leader = service.gauge("leader", "1 while this replica works off what came in, and sends.")

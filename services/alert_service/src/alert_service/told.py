"""What the metrics are told of what happened."""

from collections.abc import Iterable, Mapping

from alert_service.delivery.sender import Attempt
from alert_service.incidents.acts import Act, ActKind, Answer
from alert_service.incidents.alert import AlertSeverity, AlertStatus, Source
from alert_service.incidents.incident import HappeningKind, Incident, IncidentState
from alert_service.incidents.settle import Settled
from alert_service.intake.batch import Worked
from alert_service.metrics import Metrics
from alert_service.routing.wanted import DeliveryState
from alert_service.storage.counts import Counts


class Told:
    """One for a process."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def stored(self, source: Source, count: int) -> None:
        self._metrics.received.labels(source).inc(count)

    def click_answered(self, seconds: float) -> None:
        self._metrics.click_seconds.observe(seconds)

    def refused(self, source: str, reason: str) -> None:
        self._metrics.refused.labels(source, reason).inc()

    def heartbeats(self, missing: Mapping[str, bool]) -> None:
        self._metrics.heartbeat.clear()
        for name, is_missing in missing.items():
            self._metrics.heartbeat.labels(name).set(is_missing)

    def counted(self, counts: Counts | None) -> None:
        """What is not there is no series, but for the whole numbers."""
        metrics = self._metrics
        for gauge in (metrics.open_incidents, metrics.waiting_deliveries, metrics.dead_deliveries, metrics.heard):
            gauge.clear()
        metrics.waiting_inbox.set(counts.waiting_entries if counts else 0)
        metrics.storms.set(counts.storms if counts else 0)
        if counts is None:
            return
        for state in (IncidentState.FIRING, IncidentState.ACKNOWLEDGED):
            for severity in AlertSeverity:
                metrics.open_incidents.labels(state, severity).set(counts.open_incidents.get((state, severity), 0))
        for channel, many in counts.waiting_deliveries.items():
            metrics.waiting_deliveries.labels(channel).set(many)
        for channel, many in counts.dead_deliveries.items():
            metrics.dead_deliveries.labels(channel).set(many)
        for source, at in counts.heard.items():
            metrics.heard.labels(source).set(at.timestamp())

    def worked(self, worked: Worked) -> None:
        for source in worked.unreadable:
            self._metrics.unreadable.labels(source).inc()
        for source in worked.duplicates:
            self._metrics.duplicates.labels(source).inc()
        self.settled(worked.settled)

    def settled(self, settled: Iterable[Settled]) -> None:
        for each in settled:
            self._happened(each)
            for message in each.wanted:
                self._metrics.notified.labels(message.channel, message.reason).inc()

    def reconciled(self, settled: Iterable[Settled]) -> None:
        """What comparing with Alertmanager put right."""
        settled = list(settled)
        self.settled(settled)
        for each in settled:
            if any(happening.kind is HappeningKind.RECONCILED for happening in each.happenings):
                self._metrics.reconciled.labels("opened" if each.incident.open else "closed").inc()

    def acted(self, act: Act, answer: Answer, settled: Settled | None) -> None:
        self._metrics.clicks.labels(act.kind, "done" if answer.changed else "refused").inc()
        if settled is None:
            return
        self.settled([settled])
        if act.kind is ActKind.ACKNOWLEDGE and answer.changed:
            incident = settled.incident
            waited = (act.at - incident.opened_at).total_seconds()
            self._metrics.ack_seconds.labels(incident.severity).observe(max(waited, 0.0))

    def attempted(self, attempt: Attempt) -> None:
        posted = DeliveryState.POSTED if attempt.posted else DeliveryState.ACCEPTED
        self._metrics.deliveries.labels(attempt.channel, attempt.error.reason if attempt.error else posted).inc()
        if attempt.seconds is not None:
            self._metrics.delivery_seconds.labels(attempt.channel).observe(attempt.seconds)

    def template_failed(self, name: str) -> None:
        self._metrics.template_failures.labels(name).inc()

    def canary(self, channel: str, arrived: bool) -> None:
        self._metrics.canaries.labels(channel, "arrived" if arrived else "missing").inc()

    def _happened(self, each: Settled) -> None:
        for happening in each.happenings:
            if happening.kind in (HappeningKind.OPENED, HappeningKind.ALERTS_JOINED, HappeningKind.REOPENED):
                self._metrics.alerts.labels(AlertStatus.FIRING).inc(len(happening.fingerprints))
            elif happening.kind in (HappeningKind.ALERTS_RESOLVED, HappeningKind.RESOLVED):
                self._metrics.alerts.labels(AlertStatus.RESOLVED).inc(len(happening.fingerprints))
            elif happening.kind is HappeningKind.SUPPRESSED:
                self._metrics.suppressed.labels(happening.details.get("reason", "")).inc()
            elif happening.kind is HappeningKind.ESCALATED:
                self._metrics.escalations.labels(happening.details["policy"], happening.details["step"]).inc()
            if happening.kind is HappeningKind.OPENED:
                self._opened(each.incident)

    def _opened(self, incident: Incident) -> None:
        self._metrics.incidents.labels(incident.severity).inc()

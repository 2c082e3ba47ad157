"""What the API answers about objects. Frozen dataclasses: documented by pydantic, written by msgspec."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import Field

from common.cluster.snapshot import SourceState
from common.contracts import Finding, HealthEvent, ObjectRef, Score, Severity

ScoreValue = Annotated[float, Field(ge=0, le=100, description="0 (broken) to 100 (nothing found)")]
Confidence = Annotated[float, Field(ge=0, le=1, description="1 when all was seen; missing data lowers it")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One object in a list. Severity, count and codes are of the object's own findings."""

    object: ObjectRef
    score: ScoreValue
    confidence: Confidence
    severity: Annotated[Severity | None, Field(description="Of the worst open finding; null when there is none")]
    findings: Annotated[int, Field(ge=0, description="Open findings")]
    codes: Annotated[tuple[str, ...], Field(description="Checks that found them")]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSummary(Summary):
    zone: Annotated[str, Field(description="topology.kubernetes.io/zone; empty when the node has none")]
    ready: bool
    schedulable: bool
    pods: Annotated[int, Field(ge=0, description="Unfinished pods bound to it")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSummary(Summary):
    replicas: Annotated[int | None, Field(description="Wanted; null for kinds that have none")]
    ready_replicas: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSummary(Summary):
    phase: str
    ready: bool
    node: Annotated[str, Field(description="Empty until it is scheduled")]
    owner: Annotated[ObjectRef | None, Field(description="The top controller; null for a pod of its own")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView(Finding):
    """An open finding, with what is known of it beyond the finding itself."""

    title: str
    runbook: Annotated[str, Field(description="Where it says what to do")]
    opened_at: datetime
    changed_at: datetime
    flapping: Annotated[bool, Field(description="Opened and resolved so often that it is kept open until quiet")]
    muted_until: Annotated[datetime | None, Field(description="Muted by an annotation: it takes no points")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The last stored events of one object, newest first."""

    events: tuple[HealthEvent, ...] = ()
    note: Annotated[str, Field(description="Why there are none, when that is not because nothing happened")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One object: its score and what took how much, its findings, whose it is and what happened."""

    object: ObjectRef
    created_at: datetime | None
    labels: Mapping[str, str]
    score: Score
    findings: tuple[FindingView, ...]
    owners: Annotated[tuple[ObjectRef, ...], Field(description="From the direct controller up to the top one")]
    timeline: Timeline = field(default_factory=Timeline)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """How far one kind can be trusted."""

    kind: str
    state: SourceState
    reason: Annotated[str, Field(description="What is missing and what to do; empty when nothing is")]
    heard_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """The cluster at a glance."""

    name: str
    server_version: str
    score: Score
    findings: Annotated[Mapping[Severity, int], Field(description="Open findings of all objects by severity")]
    own_findings: Annotated[tuple[FindingView, ...], Field(description="Findings about the cluster as a whole")]
    objects: Annotated[Mapping[str, int], Field(description="Objects seen, by kind")]
    sources: tuple[SourceView, ...]
    at: datetime

"""The numbers of scoring and of transitions, each with its unit and its reason."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from common.contracts import Severity


class ScoringSettings(BaseModel):
    """How much a finding takes, and how loud few bad members are among many good ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    critical_points: float = Field(
        80,
        ge=0,
        le=100,
        description="Points that a critical finding takes: users suffer now, yet two problems show as worse than one",
    )
    warning_points: float = Field(
        20, ge=0, le=100, description="Points that a warning takes: four weigh as much as one critical finding"
    )
    info_points: float = Field(
        2, ge=0, le=100, description="Points that an info finding takes: visible on the object, next to nothing above"
    )
    alarm_gain: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of its family's score that one wholly lost member takes, however large the family is, and "
        "each doubling of the loss again: one dead node of a thousand costs 5 points",
    )
    alarm_limit: float = Field(
        0.4,
        ge=0,
        le=1,
        description="The most that these shares may take, reached at 255 lost members; the rest is the mean's",
    )

    def points(self, severity: Severity) -> float:
        return {
            Severity.CRITICAL: self.critical_points,
            Severity.WARNING: self.warning_points,
            Severity.INFO: self.info_points,
        }[severity]


class EngineSettings(BaseModel):
    """When a finding is told. Durations are ISO 8601 or seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scoring: ScoringSettings = ScoringSettings()
    open_after: timedelta = Field(
        timedelta(0),
        description="Least time that a symptom must be seen before it is told. 0: each check has its own duration",
    )
    resolve_after: timedelta = Field(
        timedelta(seconds=10),
        description="How long a symptom must stay away before its finding is resolved: longer than a controller takes "
        "to react, shorter than a person",
    )
    change_interval: timedelta = Field(
        timedelta(minutes=1),
        description="Least time between two changed events of one finding, a change of severity excepted",
    )
    flap_changes: int = Field(
        5,
        ge=2,
        description="Openings and resolutions within the flap window from which on a finding counts as flapping: "
        "it is back for the third time",
    )
    flap_window: timedelta = Field(
        timedelta(minutes=10),
        description="Window in which they are counted, and the quiet that ends flapping: twice the longest back-off "
        "of a crash loop",
    )
    storm_openings: int = Field(
        50,
        ge=1,
        description="Openings of one check within the storm window that are still told one by one: what a person can "
        "read",
    )
    storm_window: timedelta = Field(
        timedelta(seconds=10), description="Window of a storm, and the least time between two events of it"
    )
    wide_interval: timedelta = Field(
        timedelta(seconds=1),
        description="Least time between two evaluations of the cluster or of one zone, whose checks read many objects",
    )


DEFAULT_SETTINGS = EngineSettings()

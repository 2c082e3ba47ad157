"""What a press of a button brings back: which incident, at which revision, and what the verb needs beside. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alert_service.incidents.acts import Act, ActKind, Person, Via

_FORM = re.compile(
    r"1\.(?P<incident>[0-9a-f]{32})\.(?P<revision>\d{1,9})(?:\.s(?P<seconds>\d{1,8}))?(?:\.r(?P<run>[0-9a-f]{32}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonValue:
    """The verb itself stands beside it, in the name of the button. At most 100 characters as text."""

    incident_id: UUID
    revision: int  # of the incident, when the card was made
    duration: timedelta | None = None  # of a silence; None: until it resolves
    run_id: UUID | None = None  # that is approved or denied

    def __str__(self) -> str:
        text = f"1.{self.incident_id.hex}.{self.revision}"
        if self.duration is not None:
            text += f".s{int(self.duration.total_seconds())}"
        return text if self.run_id is None else f"{text}.r{self.run_id.hex}"

    def act(self, kind: ActKind, *, by: Person, via: Via, at: datetime) -> Act:
        """What somebody wants who pressed the button, or followed its link."""
        return Act(
            kind=kind,
            incident_id=self.incident_id,
            by=by,
            via=via,
            at=at,
            revision=self.revision,
            duration=self.duration,
            run_id=self.run_id,
        )

    @classmethod
    def parse(cls, text: object) -> "ButtonValue | None":
        """None for whatever this service has not written: anybody can send anything."""
        found = _FORM.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            return None
        seconds, run = found["seconds"], found["run"]
        return cls(
            incident_id=UUID(found["incident"]),
            revision=int(found["revision"]),
            duration=None if seconds is None else timedelta(seconds=int(seconds)),
            run_id=None if run is None else UUID(run),
        )

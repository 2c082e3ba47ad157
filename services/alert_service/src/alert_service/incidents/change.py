"""What a change of an incident is: the incident as it is now, and what is to be written in its timeline."""

from dataclasses import dataclass, replace
from typing import Any

from alert_service.incidents.incident import Happening, HappeningKind, Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Nothing happened when there are no happenings; the incident may still have been heard of."""

    incident: Incident
    happenings: tuple[Happening, ...] = ()

    def then(self, further: "Changed") -> "Changed":
        """Both, one after the other."""
        return Changed(incident=further.incident, happenings=(*self.happenings, *further.happenings))

    def has(self, *kinds: HappeningKind) -> bool:
        return any(each.kind in kinds for each in self.happenings)


def changed(incident: Incident, *happenings: Happening, **fields: Any) -> Changed:
    """With the fields set and, if anything happened, one revision further."""
    if happenings:
        # A click may have been made before something that was stored first.
        at = max(incident.changed_at, happenings[-1].at)
        fields |= {"revision": incident.revision + 1, "changed_at": at}
    return Changed(incident=replace(incident, **fields), happenings=happenings)

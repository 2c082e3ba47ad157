"""The dialects, one file each. DIALECTS names them all."""

from collections.abc import Mapping

from alert_service.cards.dialect import Dialect
from alert_service.cards.dialects.plain import PLAIN
from alert_service.cards.dialects.slack import SLACK
from alert_service.cards.dialects.teams import TEAMS

__all__ = ("DIALECTS", "PLAIN", "SLACK", "TEAMS")

DIALECTS: Mapping[str, Dialect] = {each.name: each for each in (SLACK, TEAMS, PLAIN)}

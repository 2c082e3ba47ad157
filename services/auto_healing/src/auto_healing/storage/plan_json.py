"""Plans, places and outcomes as JSON and back, exactly but for characters that PostgreSQL cannot hold."""

from typing import Any, TypeVar

import msgspec

from auto_healing.actions.action import Outcome
from auto_healing.plan import Plan
from auto_healing.run import Place
from auto_healing.storage.chain import json_text

T = TypeVar("T", Plan, Place, Outcome)
Json = dict[str, Any]


def to_json(value: Plan | Place | Outcome) -> Json:
    """Plain values, as a JSONB column takes them."""
    plain: Json = msgspec.json.decode(json_text(msgspec.to_builtins(value)))
    return plain


def from_json(kind: type[T], plain: Json) -> T:
    """Raises msgspec.ValidationError for what `to_json` cannot have made."""
    return msgspec.convert(plain, kind)

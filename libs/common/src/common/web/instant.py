"""Instants in requests: with their offset, so that nobody has to guess what time is meant."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.IGNORECASE | re.ASCII)


def _in_full(value: object) -> object:
    # pydantic also takes numbers and bare dates, of which nobody can tell what instant is meant.
    if value is None or isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError("write an instant with its offset, such as 2026-12-31T12:00:00Z")
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_in_full)]

"""How generated documents write JSON, and what stands in the cells of their tables."""

import json
from typing import Any


def as_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def cell(text: str) -> str:
    """On one line, with the character kept that would end the cell."""
    return " ".join(text.split()).replace("|", "\\|")

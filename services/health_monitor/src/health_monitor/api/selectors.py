"""Label selectors as kubectl writes them: `app=web,tier!=db,zone in (a, b),!legacy`."""

import re

from common.cluster.rows import Selector

_TERM = re.compile(
    r"""\s*(?:
        (?P<absent>!)\s*(?P<absent_key>[^\s=!,()]+)
      | (?P<set_key>[^\s=!,()]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)
      | (?P<key>[^\s=!,()]+)\s*(?:(?P<equals>==?|!=)\s*(?P<value>[^\s=!,()]*))?
    )\s*(?:,|$)""",
    re.VERBOSE,
)
Expression = tuple[str, str, tuple[str, ...]]


class SelectorInvalid(ValueError):
    """A label selector cannot be read; the message says where."""


def parse_selector(text: str) -> Selector:
    """Raises SelectorInvalid. An empty text matches everything."""
    expressions: list[Expression] = []
    position = 0
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None:
            raise SelectorInvalid(f"cannot read the label selector at {text[position:][:40]!r}")
        expressions.append(_expression(term.groupdict()))
        position = term.end()
    return Selector(labels={}, expressions=tuple(expressions), everything=not expressions)


def _expression(term: dict[str, str | None]) -> Expression:
    if term["absent_key"]:
        return (term["absent_key"], "DoesNotExist", ())
    if term["set_key"]:
        values = tuple(value.strip() for value in (term["values"] or "").split(","))
        return (term["set_key"], "In" if term["operator"] == "in" else "NotIn", values)
    key, value = term["key"] or "", term["value"] or ""
    if term["equals"] is None:
        return (key, "Exists", ())
    return (key, "NotIn" if term["equals"] == "!=" else "In", (value,))

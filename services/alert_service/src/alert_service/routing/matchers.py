"""Label matchers, in Alertmanager's syntax: `severity="critical"`, `namespace=~"team-.*"`, `tier!=""`.

Patterns are RE2's, as there: what matches is the same, and none can take for ever.

https://prometheus.io/docs/alerting/latest/configuration/#matcher
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import re2

_SYNTAX = re.compile(
    r"""^\s*(?P<name>[^\s=!~"{}]+)\s*(?P<op>=~|!~|!=|=)\s*"""
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"{},]*))\s*$"""
)
_PARTS = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*")+')
_QUIET = re2.Options()
_QUIET.log_errors = False
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """A label that is missing counts as empty. A pattern has to match the whole value."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True
    _pattern: "re2._Regexp | None" = field(default=None, compare=False, repr=False)

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.name, "")
        found = value == self.value if self._pattern is None else self._pattern.fullmatch(value) is not None
        return found is self.is_equal

    def to_api(self) -> dict[str, Any]:
        """As Alertmanager's API v2 has it."""
        return {"name": self.name, "value": self.value, "isRegex": self.is_regex, "isEqual": self.is_equal}

    def __str__(self) -> str:
        operator = ("=" if self.is_equal else "!") + ("~" if self.is_regex else ("" if self.is_equal else "="))
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{operator}"{escaped}"'


@lru_cache(maxsize=10_000)  # a policy's are needed for every incident
def parse_matcher(text: str) -> Matcher:
    """ValueError tells how to write one."""
    found = _SYNTAX.match(text)
    if found is None:
        raise ValueError('must be a matcher such as severity="critical" or namespace=~"team-.*"')
    quoted = found["quoted"]
    value = found["bare"] if quoted is None else re.sub(r"\\(.)", lambda each: _ESCAPES.get(each[1], each[0]), quoted)
    return matcher(found["name"], value, is_regex="~" in found["op"], is_equal="!" not in found["op"])


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Several in one text, as Alertmanager's configuration may have them: {severity="critical", team=~"a|b"}."""
    parts = _PARTS.findall(text.strip().removeprefix("{").removesuffix("}"))
    return tuple(parse_matcher(part) for part in parts if part.strip())


def matcher(name: str, value: str, *, is_regex: bool = False, is_equal: bool = True) -> Matcher:
    """ValueError when the pattern is none."""
    pattern = None
    if is_regex:
        try:
            re2.compile(value, _QUIET)  # by itself: "a)(b" is none, though it is one within brackets
            pattern = re2.compile(f"(?s:{value})", _QUIET)
        except re2.error as error:
            raise ValueError(f"has the pattern {value!r}, which is none: {_detail(error)}") from None
    return Matcher(name, value, is_regex, is_equal, pattern)


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    return all(each.matches(labels) for each in matchers)


def _detail(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return (said.decode(errors="replace") if isinstance(said, bytes) else str(said)).split(": (?s:")[0]

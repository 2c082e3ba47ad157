"""Alertmanager's routing tree, read from its configuration: by which group key it will tell of an alert. Pure.

Its API tells groups without their keys. The key is that of the route, made of the matchers on the way to it, and the
group's labels: https://github.com/prometheus/alertmanager/blob/main/dispatch/route.go
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from alert_service.routing.matchers import Matcher, all_match, matcher, parse_matchers

_ALL = "..."
_DEEPEST = 100


class RoutesUnreadable(ValueError):
    """The configuration is none of Alertmanager's; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One node. `timed`: it is silent at some times of the day or week."""

    key: str
    matchers: tuple[Matcher, ...]
    receiver: str
    group_by: frozenset[str]
    goes_on: bool
    timed: bool
    children: tuple["Route", ...]

    def matching(self, labels: Mapping[str, str]) -> Iterator["Route"]:
        """Those that tell of an alert with these labels: the deepest that match."""
        if not all_match(self.matchers, labels):
            return
        found = False
        for child in self.children:
            below = list(child.matching(labels))
            yield from below
            found = found or bool(below)
            if below and not child.goes_on:
                return
        if not found:
            yield self

    def group_of(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels of the group that an alert is in."""
        everything = _ALL in self.group_by
        return {name: value for name, value in labels.items() if everything or name in self.group_by}


def root_of(configuration: str) -> Route:
    """Raises RoutesUnreadable."""
    try:
        found = yaml.safe_load(configuration)
        return _route(found["route"], None)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise RoutesUnreadable(f"Alertmanager's routes cannot be read: {error}") from None


def receivers_of(root: Route) -> frozenset[str]:
    """All that it sends to."""
    return frozenset({root.receiver}).union(*(receivers_of(child) for child in root.children))


def group_key(route: Route, group_labels: Mapping[str, str]) -> str:
    """As it stands in posts."""
    pairs = ", ".join(f'{name}="{_quoted(value)}"' for name, value in sorted(group_labels.items()))
    return f"{route.key}:{{{pairs}}}"


def _route(node: Mapping[str, Any], parent: Route | None) -> Route:
    matchers = tuple(sorted(_matchers(node), key=lambda each: (each.name, each.value)))
    above = f"{parent.key}/" if parent else ""
    key = above + "{" + ",".join(map(str, matchers)) + "}"
    inherited = parent.group_by if parent else frozenset()
    group_by = node.get("group_by")
    route = Route(
        key=key,
        matchers=matchers,
        receiver=node.get("receiver") or (parent.receiver if parent else ""),
        group_by=inherited if group_by is None else frozenset(map(str, group_by)),
        goes_on=bool(node.get("continue")),
        timed=bool(node.get("mute_time_intervals") or node.get("active_time_intervals")),
        children=(),
    )
    if key.count("/") > _DEEPEST:
        raise ValueError("they are nested without an end")
    return replace(route, children=tuple(_route(each, route) for each in node.get("routes") or ()))


def _matchers(node: Mapping[str, Any]) -> Iterator[Matcher]:
    for name, value in (node.get("match") or {}).items():
        yield matcher(name, str(value))
    for name, pattern in (node.get("match_re") or {}).items():
        yield matcher(name, f"^(?:{pattern})$", is_regex=True)
    given = node.get("matchers") or ()
    for text in [given] if isinstance(given, str) else given:
        yield from parse_matchers(text)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

"""What RBAC must allow for several actions together."""

from collections.abc import Iterable, Mapping

from auto_healing.actions.action import Permission


def merged(permissions: Iterable[Permission]) -> Mapping[tuple[str, str], frozenset[str]]:
    """Verbs by API group and resource."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for each in permissions:
        key = (each.group, each.resource)
        found[key] = found.get(key, frozenset()) | frozenset(each.verbs)
    return dict(sorted(found.items()))

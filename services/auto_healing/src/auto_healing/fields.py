"""Fields of Kubernetes objects by path: what they hold, and the JSON merge patch that sets one.

A segment names a key of an object, or in brackets the item of a list by what identifies it: a taint is
("spec", "taints", "[key=example.com/sick,effect=NoSchedule]"). A merge patch can only replace a list as a whole, so
that such a patch has to be guarded by the resourceVersion of the object that it was made from.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def item(**identity: str) -> str:
    """The segment of a list's item, such as `item(key="example.com/sick", effect="NoSchedule")`."""
    return "[" + ",".join(f"{key}={value}" for key, value in identity.items()) + "]"


def value_at(content: Any, path: Sequence[str]) -> Any:
    """What the field holds; None when it is not there."""
    for segment in path:
        if identity := _identity(segment):
            content = next((each for each in content or () if _is(each, identity)), None)
        else:
            content = content.get(segment) if isinstance(content, Mapping) else None
    return content


def patch_setting(content: Any, path: Sequence[str], value: Any) -> Any:
    """The merge patch that sets the field of `content` to the value, or takes it away where that is None."""
    if not path:
        return _replacing(content, value)
    first, rest = path[0], path[1:]
    if identity := _identity(first):
        return _list_with(content or (), identity, rest, value)
    inner = content.get(first) if isinstance(content, Mapping) else None
    return {first: patch_setting(inner, rest, value)}


def _replacing(content: Any, value: Any) -> Any:
    """A merge patch merges objects: what is there and not in the value has to be taken away by name."""
    if not (isinstance(content, Mapping) and isinstance(value, Mapping)):
        return value
    extra: dict[str, Any] = {key: None for key in content if key not in value}
    return extra | {key: _replacing(content.get(key), inner) for key, inner in value.items()}


def _list_with(items: Sequence[Any], identity: Mapping[str, str], rest: Sequence[str], value: Any) -> list[Any]:
    if rest:
        raise ValueError("the item of a list can only be set as a whole")
    others = [each for each in items if not _is(each, identity)]
    return others if value is None else [*others, value]


def _identity(segment: str) -> dict[str, str]:
    if not (segment.startswith("[") and segment.endswith("]")):
        return {}
    return dict(pair.split("=", 1) for pair in segment[1:-1].split(","))


def _is(each: Any, identity: Mapping[str, str]) -> bool:
    return isinstance(each, Mapping) and all(each.get(key) == value for key, value in identity.items())


def holds(live: Any, value: Any) -> bool:
    """Whether a field holds what was written to it; keys that the API server added to an object do not matter."""
    if isinstance(live, Mapping) and isinstance(value, Mapping):
        return all(key in live and holds(live[key], inner) for key, inner in value.items())
    return bool(live == value)

"""What may be kept of an object: no value of an environment variable, nothing that looks like a credential. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from common.logs import redacted

REDACTED = "[redacted]"
VALUE_LENGTH = 1000
ITEMS = 200  # of one list
DROPPED = frozenset({"managedFields", "kubectl.kubernetes.io/last-applied-configuration"})
NAMED_VALUES = frozenset({"env", "httpHeaders"})  # lists of name and value, of which only the name is kept
CONTENTS = frozenset({"data", "stringData", "binaryData"})  # of ConfigMaps and Secrets
WORDS = frozenset({"command", "args"})
_SECRET_OPTION = re.compile(
    r"^(--?[\w.-]*(?:password|passwd|passphrase|token|secret|credential|api-?key)[\w.-]*)(=.*)?$",
    re.IGNORECASE | re.DOTALL,
)


def cleaned(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A copy to be kept: names of variables without values, keys of data without content, long texts cut."""
    return {key: _of(key, value) for key, value in manifest.items() if key not in DROPPED}


def text(value: str, length: int = VALUE_LENGTH) -> str:
    """Without whatever looks like a credential, and cut."""
    clean = redacted(value)
    return clean if len(clean) <= length else f"{clean[:length]}... ({len(clean)} characters)"


def _of(key: str, value: Any) -> Any:
    if key in NAMED_VALUES and isinstance(value, Sequence) and not isinstance(value, str):
        return [_unvalued(each) for each in value[:ITEMS]]
    if key in CONTENTS and isinstance(value, Mapping):
        return dict.fromkeys(value, REDACTED)
    if key in WORDS and isinstance(value, Sequence) and not isinstance(value, str):
        return _words([str(word) for word in value[:ITEMS]])
    return _any(value)


def _any(value: Any) -> Any:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return cleaned(value)
    if isinstance(value, Sequence):
        return [_any(each) for each in value[:ITEMS]]
    return value


def _unvalued(variable: Any) -> Any:
    if not isinstance(variable, Mapping):
        return REDACTED
    return {key: REDACTED if key == "value" else _any(value) for key, value in variable.items()}


def _words(words: list[str]) -> list[str]:
    """A command line. `--password hunter2` is two words, of which the second goes."""
    kept: list[str] = []
    secret_follows = False
    for word in words:
        option = _SECRET_OPTION.match(word)
        if secret_follows and not word.startswith("-"):
            kept.append(REDACTED)
        elif option:
            kept.append(f"{option[1]}={REDACTED}" if option[2] else word)
        else:
            kept.append(text(word))
        secret_follows = bool(option) and not (option and option[2])
    return kept

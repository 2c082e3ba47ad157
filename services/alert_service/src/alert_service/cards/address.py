"""Addresses that come from labels and annotations, and are to become links. Pure."""

import re
from urllib.parse import quote

LONGEST = 2000
# A host, without a user before it: https://example.com@evil.example would lead elsewhere than it reads.
_HTTP = re.compile(r"(https?://(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?)((?:[/?#][^\x00-\x20\x7f]*)?)", re.IGNORECASE)
_KEPT = "%/:?#@!$&'*+,;=-._~"  # brackets, quotes, bars and angle brackets end a link in one dialect or another


def is_address(text: str) -> bool:
    """Whether a person can be sent there: http or https, with a host, no white space in it, not too long for a link."""
    return len(text) <= LONGEST and _HTTP.fullmatch(text) is not None and len(quoted(text)) <= LONGEST


def quoted(address: str) -> str:
    """With everything percent-encoded that has a meaning in a dialect's links; it leads to the same place."""
    found = _HTTP.fullmatch(address)
    return quote(address, safe=_KEPT) if found is None else found[1] + quote(found[2], safe=_KEPT)

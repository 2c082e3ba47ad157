"""Addresses that come from labels and annotations, and are to become links. Pure."""

import re
from urllib.parse import quote

LONGEST = 2000
_HTTP = re.compile(r"https?://[^\s/?#]+[^\x00-\x20\x7f]*", re.IGNORECASE)
_KEPT = "%/:?#@!$&'*+,;=-._~"  # brackets, quotes, bars and angle brackets end a link in one dialect or another


def is_address(text: str) -> bool:
    """Whether a person can be sent there: http or https, with a host, no white space in it."""
    return len(text) <= LONGEST and _HTTP.fullmatch(text) is not None


def quoted(address: str) -> str:
    """With everything percent-encoded that has a meaning in a dialect's links; it leads to the same place."""
    return quote(address, safe=_KEPT)

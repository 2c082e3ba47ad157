"""Signed links: one act on one incident, for platforms whose buttons cannot come back. Pure.

A token is `payload.HMAC-SHA256.key id`, the first two in base64url; it looks like a JSON web token, so that logs leave
it out. It proves that this service made it, not who opens it. The id of a link follows from what it does, so that it
acts once however often its card is made.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from alert_service.cards.card import Button
from alert_service.incidents.acts import ActKind

PATH = "/api/v1/links/"
_VERSION = 1
_SHORTEST_SECRET = 32
_LONGEST_TOKEN = 4096
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_MARK = b"alert_service link v1\0"  # the same key signs nothing else that could be taken for a link


class LinkReason(StrEnum):
    """Why a link does nothing."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    FORGED = "forged"
    EXPIRED = "expired"


class LinkRefused(Exception):
    """A link that must not be followed."""

    def __init__(self, reason: LinkReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class KeysInvalid(ValueError):
    """The keys cannot be read; names the wrong entries by their place, and repeats none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link says. `value` is that of the button: incident, revision and parameters."""

    id: str
    act: ActKind
    value: str
    channel: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Key:
    """`id` stands in the link, so that old links work while keys are replaced."""

    id: str
    secret: bytes


def parse_keys(text: str) -> tuple[Key, ...]:
    """Of `id:secret` entries separated by commas, the first of which signs. Raises KeysInvalid."""
    entries = [each.strip() for each in text.split(",") if each.strip()]
    keys = [Key(id_, secret.encode()) for id_, _, secret in (each.partition(":") for each in entries)]
    wrong = [
        str(place)
        for place, key in enumerate(keys, 1)
        if not _KEY_ID.fullmatch(key.id) or len(key.secret) < _SHORTEST_SECRET
    ]
    if wrong:
        form = f"id:secret with an id of letters, digits, - and _, and {_SHORTEST_SECRET} or more characters of secret"
        raise KeysInvalid(f"entry {', '.join(wrong)} of {len(entries)} is not {form}")
    if len({key.id for key in keys}) < len(keys):
        raise KeysInvalid("two entries have the same id: give a new secret a new one")
    return tuple(keys)


def new_key() -> Key:
    """For one run of the process."""
    return Key("run", secrets.token_bytes(32))


class LinkSigner:
    """`url` is where people reach this service. The first key signs, all are believed."""

    def __init__(self, url: str, keys: Sequence[Key], lifetime: timedelta) -> None:
        self._url = url.rstrip("/")
        self._signing = keys[0]
        self._keys = {key.id: key for key in keys}
        self._lifetime = lifetime

    @classmethod
    def of(cls, url: str, keys: str, hours: float) -> "LinkSigner | None":
        """From settings; None without an address. Raises KeysInvalid."""
        return cls(url, parse_keys(keys) or (new_key(),), timedelta(hours=hours)) if url else None

    def for_channel(self, channel: str, now: datetime) -> Callable[[Button], str]:
        """What makes the links of a card on this channel."""
        return lambda button: self.url(button.act, button.value, channel=channel, now=now)

    def url(self, act: ActKind, value: str, *, channel: str, now: datetime) -> str:
        return f"{self._url}{PATH}{self.sign(act, value, channel=channel, now=now)}"

    def sign(self, act: ActKind, value: str, *, channel: str, now: datetime) -> str:
        """The token of a link."""
        said = {"v": _VERSION, "a": act, "b": value, "c": channel, "e": int((now + self._lifetime).timestamp())}
        payload = _encode(json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode())
        return f"{payload}.{_encode(_mac(self._signing, payload))}.{self._signing.id}"

    def read(self, token: str, now: datetime) -> Link:
        """Raises LinkRefused."""
        payload, mac, key_id = _parts(token)
        key = self._keys.get(key_id)
        if key is None:
            raise LinkRefused(LinkReason.UNKNOWN_KEY)
        if not hmac.compare_digest(_mac(key, payload), mac):
            raise LinkRefused(LinkReason.FORGED)
        link = _link(payload)
        if link.expires_at <= now:
            raise LinkRefused(LinkReason.EXPIRED)
        return link


def _mac(key: Key, payload: str) -> bytes:
    return hmac.digest(key.secret, _MARK + key.id.encode() + b"\0" + payload.encode(), hashlib.sha256)


def _parts(token: str) -> tuple[str, bytes, str]:
    parts = token.split(".")
    if len(token) > _LONGEST_TOKEN or not token.isascii() or len(parts) != 3:
        raise LinkRefused(LinkReason.MALFORMED)
    return parts[0], _decode(parts[1]), parts[2]


def _link(payload: str) -> Link:
    """Of a payload that this service signed; one of another version is as good as none."""
    try:
        said = json.loads(_decode(payload))
        if said["v"] != _VERSION:
            raise LinkRefused(LinkReason.MALFORMED)
        act, value, channel = ActKind(said["a"]), str(said["b"]), str(said["c"])
        expires_at = datetime.fromtimestamp(said["e"], UTC)
    except (ValueError, KeyError, TypeError):
        raise LinkRefused(LinkReason.MALFORMED) from None
    found = hashlib.sha256(json.dumps([act, value, channel]).encode()).hexdigest()[:32]
    return Link(id=found, act=act, value=value, channel=channel, expires_at=expires_at)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    """Only the one spelling that `_encode` gives: another would be another token for the same link."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise LinkRefused(LinkReason.MALFORMED) from None
    if _encode(raw) != text:
        raise LinkRefused(LinkReason.MALFORMED)
    return raw

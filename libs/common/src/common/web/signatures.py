"""Signs and checks webhooks as Standard Webhooks says, in its symmetric form v1.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import secrets as random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE = timedelta(minutes=5)
_PREFIX = "whsec_"
# The specification asks for 24 to 64 bytes.
_KEY_BYTES = range(24, 65)


class Reason(StrEnum):
    """Which check a webhook failed."""

    HEADER_MISSING = "header_missing"
    TIMESTAMP_MALFORMED = "timestamp_malformed"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    NO_SIGNATURE_MATCHES = "no_signature_matches"


class SignatureRefused(Exception):
    """A webhook must not be believed; `reason` says why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class SecretInvalid(ValueError):
    """A signing secret cannot be used; the message does not repeat it."""


def new_secret() -> str:
    """A fresh signing secret of 256 random bits."""
    return _PREFIX + base64.b64encode(random.token_bytes(32)).decode()


def check_secret(secret: str) -> None:
    """Raises SecretInvalid for what cannot sign, so that settings can say so at the start."""
    _key(secret)


def sign(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that go with `body`. `message_id` stays the same when a delivery is repeated, `at` does not.

    Raises SecretInvalid.
    """
    timestamp = str(int(at.timestamp()))
    return {
        ID: message_id,
        TIMESTAMP: timestamp,
        SIGNATURE: "v1," + base64.b64encode(_digest(secret, message_id, timestamp, body)).decode(),
    }


def verify(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime, *, tolerance: timedelta = TOLERANCE
) -> str:
    """Check the raw body against any of the secrets (the new and the old one while they are rotated).

    `headers` have names in lower case, or ignore the case as frameworks do. Returns the message's id, by which the
    receiver must recognise a repetition. Raises SignatureRefused or SecretInvalid.
    """
    message_id, timestamp, signatures = (_header(headers, name) for name in (ID, TIMESTAMP, SIGNATURE))
    _check_age(timestamp, now, tolerance)
    given = [found for each in signatures.split(" ") if (found := _v1(each)) is not None]
    matches = [
        hmac.compare_digest(expected, each)
        for expected in [_digest(secret, message_id, timestamp, body) for secret in secrets]
        for each in given
    ]
    if not any(matches):
        raise SignatureRefused(Reason.NO_SIGNATURE_MATCHES, "no signature fits the body and a known secret")
    return message_id


def _header(headers: Mapping[str, str], name: str) -> str:
    if not (value := headers.get(name)):
        raise SignatureRefused(Reason.HEADER_MISSING, f"the header {name} is missing")
    return value


def _check_age(timestamp: str, now: datetime, tolerance: timedelta) -> None:
    # Not int() alone, which takes "1_0" and Arabic digits; 11 digits last until the year 5138.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        raise SignatureRefused(Reason.TIMESTAMP_MALFORMED, f"{TIMESTAMP} is not a number of seconds since 1970")
    age = now - datetime.fromtimestamp(int(timestamp), UTC)
    if age > tolerance:
        raise SignatureRefused(Reason.TOO_OLD, f"signed {age} ago, more than {tolerance}")
    if -age > tolerance:
        raise SignatureRefused(
            Reason.TOO_NEW, f"signed {-age} in the future, more than {tolerance}: compare the clocks"
        )


def _v1(signature: str) -> bytes | None:
    """The digest of one entry; None for another version, as v1a, or for nonsense."""
    version, _, encoded = signature.partition(",")
    if version != "v1":
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None


def _digest(secret: str, message_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(_key(secret), f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SecretInvalid(f"a signing secret is {_PREFIX} and base64") from None
    if len(key) not in _KEY_BYTES:
        raise SecretInvalid(f"a signing secret has {_KEY_BYTES[0]} to {_KEY_BYTES[-1]} bytes, this one {len(key)}")
    return key

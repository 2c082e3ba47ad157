"""What Slack sends when somebody presses a button: whether it is Slack's, and what it says. Pure.

https://docs.slack.dev/authentication/verifying-requests-from-slack
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import parse_qs

import msgspec

from alert_service.incidents.acts import ActKind

TIMESTAMP, SIGNATURE = "x-slack-request-timestamp", "x-slack-signature"
TOLERANCE = timedelta(minutes=5)
_PRESS = "block_actions"
_MOST_FIELDS = 10
_LONGEST = 4000


class SlackReason(StrEnum):
    """Which check a request failed."""

    NOT_SET_UP = "not_set_up"
    HEADER_MISSING = "header_missing"
    TIMESTAMP_MALFORMED = "timestamp_malformed"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    NO_SIGNATURE_MATCHES = "no_signature_matches"


class SlackRefused(Exception):
    """A request that must not be believed; `reason` says why."""

    def __init__(self, reason: SlackReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class PayloadMalformed(ValueError):
    """Signed, but nothing that Slack is known to send."""


class Click(msgspec.Struct, frozen=True, kw_only=True):
    """One press of a button. `id` is the same when the request is sent again."""

    id: str
    action: str  # the action_id: the verb, and a number where a card has several of a kind
    value: str  # of the button
    user_id: str
    user_name: str
    conversation: str  # where the message is
    message_id: str
    response_url: str  # takes five answers within half an hour; a capability, so it is dropped once answered

    @property
    def act(self) -> ActKind | None:
        """None for a button that this service does not make."""
        verb = self.action.partition(":")[0]
        return ActKind(verb) if verb in set(ActKind) else None


class _User(msgspec.Struct):
    id: str
    name: str = ""
    username: str = ""


class _Option(msgspec.Struct):
    value: str = ""


class _Action(msgspec.Struct):
    action_id: str = ""
    value: str = ""
    selected_option: _Option | None = None


class _Container(msgspec.Struct):
    message_ts: str = ""
    channel_id: str = ""


class _Payload(msgspec.Struct):
    """As far as it is looked at; what else there is is ignored."""

    type: str
    user: _User | None = None
    actions: list[_Action] = []
    container: _Container | None = None
    response_url: str = ""


_PAYLOAD = msgspec.json.Decoder(_Payload)


class _Challenge(msgspec.Struct):
    type: str
    challenge: str = ""


_CHALLENGE = msgspec.json.Decoder(_Challenge)


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> str:
    """Check the raw body against any of the secrets (two while one is replaced).

    `headers` have names in lower case, or ignore the case. Returns an id that a replay has too. Raises SlackRefused.
    """
    if not secrets:
        detail = "set ALERT_SERVICE_SLACK__SIGNING_SECRET: without it nothing that Slack sends can be believed"
        raise SlackRefused(SlackReason.NOT_SET_UP, detail)
    timestamp, signature = _header(headers, TIMESTAMP), _header(headers, SIGNATURE)
    _check_age(timestamp, now)
    signed = b"v0:" + timestamp.encode() + b":" + body
    given = signature.encode("utf-8", "replace")
    matches = [
        hmac.compare_digest(b"v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode(), given)
        for secret in secrets
    ]
    if not any(matches):
        raise SlackRefused(SlackReason.NO_SIGNATURE_MATCHES, "the signature fits no known secret and this very body")
    return hashlib.sha256(signed).hexdigest()


def challenge_of(body: bytes) -> str | None:
    """What has to be answered to Slack's check of an address (url_verification); None for anything else."""
    try:
        said = _CHALLENGE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return said.challenge if said.type == "url_verification" else None


def click_of(request_id: str, body: bytes) -> Click | None:
    """The press that a form tells of; None for what asks for nothing, such as Slack's check of the certificate.

    Raises PayloadMalformed.
    """
    form = _form(body)
    if "payload" not in form:
        if form.get("ssl_check") == "1":
            return None
        raise PayloadMalformed("has no field payload")
    try:
        payload = _PAYLOAD.decode(form["payload"])
    except msgspec.DecodeError as error:
        raise PayloadMalformed(f"has a payload that is none of Slack's: {error}") from None
    if payload.type != _PRESS:
        return None
    if payload.user is None or not payload.actions:
        raise PayloadMalformed("has a press without a user or without an action")
    return _click(request_id, payload, payload.user, payload.actions[0])


def _click(request_id: str, payload: _Payload, user: _User, action: _Action) -> Click:
    """Texts without NUL, which the database could not hold."""
    container = payload.container or _Container()
    chosen = action.selected_option
    return Click(
        id=request_id,
        action=_clean(action.action_id),
        value=_clean(action.value if chosen is None else chosen.value),
        user_id=_clean(user.id),
        user_name=_clean(user.name or user.username),
        conversation=_clean(container.channel_id),
        message_id=_clean(container.message_ts),
        response_url=_clean(payload.response_url),
    )


def _clean(text: str) -> str:
    return text.replace("\0", "")[:_LONGEST]


def _form(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(
            body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise PayloadMalformed("is no form") from None
    return {name: values[0] for name, values in fields.items()}


def _header(headers: Mapping[str, str], name: str) -> str:
    if not (value := headers.get(name)):
        raise SlackRefused(SlackReason.HEADER_MISSING, f"the header {name} is missing")
    return value


def _check_age(timestamp: str, now: datetime) -> None:
    # Not int() alone, which takes "1_0" and Arabic digits; 11 digits last until the year 5138.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        raise SlackRefused(SlackReason.TIMESTAMP_MALFORMED, f"{TIMESTAMP} is not a number of seconds since 1970")
    age = now - datetime.fromtimestamp(int(timestamp), UTC)
    if age > TOLERANCE:
        raise SlackRefused(SlackReason.TOO_OLD, f"signed {age} ago, more than {TOLERANCE}")
    if -age > TOLERANCE:
        raise SlackRefused(
            SlackReason.TOO_NEW, f"signed {-age} in the future, more than {TOLERANCE}: compare the clocks"
        )

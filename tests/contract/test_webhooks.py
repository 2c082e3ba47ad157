"""What we sign, any receiver of Standard Webhooks can check, and the other way round."""

import base64
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.signatures import Reason, SecretInvalid, SignatureRefused, new_secret, sign, verify

# The reference vector that the implementations of the specification test themselves with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
HEADERS = {"webhook-id": ID, "webhook-timestamp": "1614265330", "webhook-signature": SIGNATURE}
OTHER = "whsec_" + base64.b64encode(b"k" * 32).decode()


def test_the_reference_vector_is_signed_as_everybody_does() -> None:
    assert sign(SECRET, ID, AT, BODY) == HEADERS


@pytest.mark.parametrize(
    ("headers", "secrets"),
    [
        pytest.param({}, [SECRET], id="as it came"),
        pytest.param({}, [SECRET.removeprefix("whsec_")], id="with a secret without its prefix"),
        pytest.param({}, [OTHER, SECRET], id="while secrets are rotated at our end"),
        pytest.param(
            {"webhook-signature": f"v1,AAAA v1a,{'A' * 86}== {SIGNATURE}"},
            [SECRET],
            id="while they are at the sender's",
        ),
    ],
)
def test_a_genuine_webhook_is_believed(headers: dict[str, str], secrets: list[str]) -> None:
    assert verify(HEADERS | headers, BODY, secrets, AT) == ID


@pytest.mark.parametrize(
    ("headers", "body", "late", "reason"),
    [
        pytest.param({"webhook-id": ""}, BODY, 0, Reason.HEADER_MISSING, id="without an id"),
        pytest.param({"webhook-signature": ""}, BODY, 0, Reason.HEADER_MISSING, id="without a signature"),
        pytest.param({"webhook-timestamp": ""}, BODY, 0, Reason.HEADER_MISSING, id="without a time"),
        pytest.param({"webhook-timestamp": "soon"}, BODY, 0, Reason.TIMESTAMP_MALFORMED, id="at no time"),
        pytest.param(
            {"webhook-timestamp": "1_614_265_330"}, BODY, 0, Reason.TIMESTAMP_MALFORMED, id="in Python's digits"
        ),
        pytest.param({"webhook-timestamp": "9" * 40}, BODY, 0, Reason.TIMESTAMP_MALFORMED, id="at the end of all days"),
        pytest.param({}, BODY, 301, Reason.TOO_OLD, id="five minutes late"),
        pytest.param({}, BODY, -301, Reason.TOO_NEW, id="five minutes early"),
        pytest.param({}, BODY + b" ", 0, Reason.NO_SIGNATURE_MATCHES, id="with another body"),
        pytest.param({"webhook-id": "msg_2"}, BODY, 0, Reason.NO_SIGNATURE_MATCHES, id="with another id"),
        pytest.param({"webhook-timestamp": "1614265331"}, BODY, 0, Reason.NO_SIGNATURE_MATCHES, id="at another second"),
        pytest.param(
            {"webhook-signature": SIGNATURE.replace("v1,", "v1a,")},
            BODY,
            0,
            Reason.NO_SIGNATURE_MATCHES,
            id="of another kind",
        ),
        pytest.param({"webhook-signature": "v1,é v1 nonsense"}, BODY, 0, Reason.NO_SIGNATURE_MATCHES, id="of nonsense"),
    ],
)
def test_anything_else_is_refused_with_the_reason(
    headers: dict[str, str], body: bytes, late: int, reason: Reason
) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(HEADERS | headers, body, [SECRET], AT + timedelta(seconds=late))

    assert refused.value.reason is reason


def test_every_reason_has_been_seen() -> None:
    rows = test_anything_else_is_refused_with_the_reason.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {row.values[3] for row in rows} == set(Reason)


def test_no_secret_believes_nothing() -> None:
    with pytest.raises(SignatureRefused):
        verify(HEADERS, BODY, [], AT)


def test_the_names_of_headers_may_be_in_any_case_for_a_framework() -> None:
    assert verify(httpx.Headers({name.title(): value for name, value in HEADERS.items()}), BODY, [SECRET], AT) == ID


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("whsec_hunter2!", id="not base64"),
        pytest.param("whsec_" + base64.b64encode(b"short").decode(), id="too short"),
        pytest.param("whsec_" + base64.b64encode(b"x" * 65).decode(), id="too long"),
        pytest.param("", id="empty"),
    ],
)
def test_a_weak_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(SecretInvalid) as caught:
        sign(secret, ID, AT, BODY)

    assert not secret or secret not in str(caught.value)


@given(
    body=st.binary(max_size=200),
    message_id=st.from_regex(r"[A-Za-z0-9_]{1,40}", fullmatch=True),
    late=st.integers(0, 300),
)
def test_what_we_sign_we_believe_within_the_tolerance(body: bytes, message_id: str, late: int) -> None:
    secret = new_secret()

    assert verify(sign(secret, message_id, AT, body), body, [secret], AT + timedelta(seconds=late)) == message_id

"""Signed links: made by this service, for one act, until they expire, with keys that may be replaced."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_service.cards.card import Button
from alert_service.clicks.links import PATH, Key, KeysInvalid, LinkReason, LinkRefused, LinkSigner, parse_keys
from alert_service.incidents.acts import ActKind
from common.logs import redact

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OLD, NEW = Key("k1", b"1" * 32), Key("k2", b"2" * 32)
VALUE = "1.0123456789abcdef0123456789abcdef.7.s3600"
SIGNER = LinkSigner("https://alerts.example.com/", [OLD], timedelta(hours=1))


def a_token(act: ActKind = ActKind.SILENCE, value: str = VALUE, *, signer: LinkSigner = SIGNER) -> str:
    return signer.sign(act, value, channel="ops", now=NOW)


def test_a_link_says_what_it_was_made_for() -> None:
    link = SIGNER.read(a_token(), NOW)

    assert (link.act, link.value, link.channel) == (ActKind.SILENCE, VALUE, "ops")
    assert link.expires_at == NOW + timedelta(hours=1)


def test_the_link_of_a_button_leads_to_this_service() -> None:
    url = SIGNER.for_channel("ops", NOW)(Button(act=ActKind.SILENCE, label="Silence", value=VALUE))

    assert url == f"https://alerts.example.com{PATH}{a_token()}"
    assert len(url) < 500


def test_a_link_has_one_id_however_often_its_card_is_made() -> None:
    later = SIGNER.sign(ActKind.SILENCE, VALUE, channel="ops", now=NOW + timedelta(minutes=5))

    assert SIGNER.read(later, NOW).id == SIGNER.read(a_token(), NOW).id


def test_what_does_something_else_has_another_id() -> None:
    tokens = [
        a_token(),
        a_token(ActKind.ACKNOWLEDGE),
        a_token(value=VALUE.replace(".7.", ".8.")),
        SIGNER.sign(ActKind.SILENCE, VALUE, channel="sre", now=NOW),
    ]

    assert len({SIGNER.read(each, NOW).id for each in tokens}) == len(tokens)


def test_old_links_work_while_keys_are_replaced() -> None:
    replaced = LinkSigner("https://x", [NEW, OLD], timedelta(hours=1))

    assert replaced.read(a_token(), NOW).act is ActKind.SILENCE
    assert a_token(signer=replaced).endswith(".k2")


def test_a_link_of_a_key_that_is_gone_works_no_more() -> None:
    with pytest.raises(LinkRefused) as refused:
        LinkSigner("https://x", [NEW], timedelta(hours=1)).read(a_token(), NOW)

    assert refused.value.reason is LinkReason.UNKNOWN_KEY


def test_a_key_of_the_same_name_does_not_sign_for_another() -> None:
    with pytest.raises(LinkRefused) as refused:
        LinkSigner("https://x", [Key("k1", b"3" * 32)], timedelta(hours=1)).read(a_token(), NOW)

    assert refused.value.reason is LinkReason.FORGED


def test_a_link_expires() -> None:
    with pytest.raises(LinkRefused) as refused:
        SIGNER.read(a_token(), NOW + timedelta(hours=1))

    assert refused.value.reason is LinkReason.EXPIRED


@pytest.mark.parametrize("token", ["", ".", "a.b", "a.b.k1.d", "x" * 5000, "é.é.k1", "=.=.k1"], ids=repr)
def test_what_is_no_link_is_malformed(token: str) -> None:
    with pytest.raises(LinkRefused) as refused:
        SIGNER.read(token, NOW)

    assert refused.value.reason is LinkReason.MALFORMED


@given(st.data())
def test_no_character_of_a_link_can_be_changed(data: st.DataObject) -> None:
    token = a_token()
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda each: each != token[at]))

    with pytest.raises(LinkRefused):
        SIGNER.read(token[:at] + other + token[at + 1 :], NOW)


def test_a_link_in_a_log_is_left_out() -> None:
    line = redact(None, "info", {"path": PATH + a_token(), "event": f"request {PATH}{a_token()}"})

    assert a_token().split(".")[1] not in str(line)


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        pytest.param("k1:short", "entry 1 of 1", id="a secret that is too short"),
        pytest.param("no-colon-but-long-enough-to-be-a-secret", "entry 1 of 1", id="no id"),
        pytest.param(f"k1:{'a' * 32},k 2:{'b' * 32}", "entry 2 of 2", id="an id with a blank"),
        pytest.param(f"k1:{'a' * 32},k1:{'b' * 32}", "same id", id="an id twice"),
    ],
)
def test_wrong_keys_are_named_and_not_repeated(keys: str, wrong: str) -> None:
    with pytest.raises(KeysInvalid, match=wrong) as invalid:
        parse_keys(keys)

    assert "a" * 32 not in str(invalid.value)


def test_without_an_address_there_are_no_links() -> None:
    assert LinkSigner.of("", f"k1:{'a' * 32}", 24) is None


def test_without_keys_one_is_made_for_this_run() -> None:
    signer, other = LinkSigner.of("https://x", "", 24), LinkSigner.of("https://x", "", 24)
    assert signer is not None
    assert other is not None

    with pytest.raises(LinkRefused):
        other.read(a_token(signer=signer), NOW)

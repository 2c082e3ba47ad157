"""How the page shows what was posted: as the vendors' clients do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from devchat.markup import card_html, slack_html

NOW = datetime(2026, 11, 29, 22, 0, tzinfo=UTC)
USERS = {"U0ANA": "ana"}


def slack(text: str, zone: str = "UTC") -> str:
    return slack_html(text, USERS, now=NOW, zone=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("*a* _b_ ~c~", "<b>a</b> <i>b</i> <s>c</s>", id="emphasis"),
        pytest.param("*`a`*", "<b><code>a</code></b>", id="code within bold"),
        pytest.param("`*a* _b_ <!here>`", "<code>*a* _b_ &lt;!here&gt;</code>", id="nothing is markup within code"),
        pytest.param("\u200b*\u200bb\u200b*\u200b", "\u200b*\u200bb\u200b*\u200b", id="what a space of no width parts"),
        pytest.param("kube_pod_info 2*3*4", "kube_pod_info 2*3*4", id="marks within words"),
        pytest.param("* a *", "* a *", id="marks beside blanks"),
        pytest.param("a\nb", "a<br>b", id="a new line"),
        pytest.param("&lt;!channel&gt; &amp; é", "&lt;!channel&gt; &amp; é", id="escaped text, as it was meant"),
        pytest.param("<https://a.example/?b=1&amp;c|d>", '<a href="https://a.example/?b=1&amp;c">d</a>', id="a link"),
        pytest.param("<https://a.example>", '<a href="https://a.example">https://a.example</a>', id="a bare link"),
        pytest.param("<@U0ANA> <!here>", "<mark>@ana</mark> <mark>@here</mark>", id="people who are notified"),
        pytest.param("<b>", "<b>&lt;b&gt;</b>", id="what Slack does not know"),
    ],
)
def test_slack_text_is_shown_as_slack_does(text: str, shown: str) -> None:
    assert slack(text) == shown


@pytest.mark.parametrize(
    ("form", "days", "zone", "shown"),
    [
        pytest.param("{date_short_pretty} {time}", 0, "UTC", "today 22:00", id="today"),
        pytest.param("{date_short_pretty} {time}", -1, "UTC", "yesterday 22:00", id="yesterday"),
        pytest.param("{date_long_pretty}", 1, "UTC", "tomorrow", id="tomorrow"),
        pytest.param("{date_short_pretty}", -7, "UTC", "Nov 22, 2026", id="a week ago"),
        pytest.param("{date}", -7, "UTC", "November 22nd, 2026", id="a date in full"),
        pytest.param("{date_num} {time_secs}", 0, "Asia/Tokyo", "2026-11-30 07:00:00", id="elsewhere it is tomorrow"),
        pytest.param("{date_short_pretty}", 0, "Asia/Tokyo", "today", id="and there it is called today"),
        pytest.param("{date_of_birth}", 0, "UTC", "then", id="a token that Slack has not"),
    ],
)
def test_a_date_is_shown_in_the_readers_zone(form: str, days: int, zone: str, shown: str) -> None:
    at = int((NOW + timedelta(days=days)).timestamp())
    assert slack(f"<!date^{at}^{form}|then>", zone) == f'<span title="then">{shown}</span>'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(
            "{{DATE(2026-11-29T22:00:00Z)}} {{TIME(2026-11-29T22:00:00Z)}}", "2026-11-29 22:00", id="an instant"
        ),
        pytest.param("{{DATE(never)}}", "{{DATE(never)}}", id="no instant"),
        pytest.param("**a** [b](https://c.example)", '<b>a</b> <a href="https://c.example">b</a>', id="markdown"),
        pytest.param(r"\*\*a\*\* \[b\]", "**a** [b]", id="what is escaped"),
        pytest.param("<at>all</at>", "&lt;at&gt;all&lt;/at&gt;", id="text is text"),
    ],
)
def test_card_text_is_shown_as_teams_does(text: str, shown: str) -> None:
    assert card_html(text, zone=UTC) == shown

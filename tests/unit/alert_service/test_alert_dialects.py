"""Foreign text in each channel's markup: it reads as it was written, and does nothing."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from alert_service.cards import marks
from alert_service.cards.address import is_address
from alert_service.cards.dialects import DIALECTS, PLAIN, SLACK, TEAMS
from alert_service.rehearsal.scenes import HARMLESS

NO_WIDTH = "\u200b"
AT = datetime(2026, 11, 29, 19, 5, 41, tzinfo=UTC)
QUICKLY = settings(deadline=None, max_examples=50)  # machines that run tests may be slow
TRICKS = st.text(alphabet=st.sampled_from("ab _*~`<>&[]()#-+!@|\\{}1.:/\n")) | st.text()


def unseen(text: str) -> str:
    return text.replace(NO_WIDTH, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@U1&gt;", id="a mention notifies nobody"),
        pytest.param("<https://x|y>", "&lt;https://x|y&gt;", id="a link shows where it leads"),
        pytest.param("kube_pod_info", "kube_pod_info", id="underscores within a name stay as they are"),
        pytest.param("2 * 3", f"2 {NO_WIDTH}*{NO_WIDTH} 3", id="a star begins nothing"),
        pytest.param("*b*", f"{NO_WIDTH}*{NO_WIDTH}b{NO_WIDTH}*{NO_WIDTH}", id="stars make nothing bold"),
        pytest.param("> said", f"{NO_WIDTH}&gt; said", id="a line does not become a quotation"),
        pytest.param("é 🔥", "é 🔥", id="other letters stay as they are"),
    ],
)
def test_slack_text(text: str, expected: str) -> None:
    assert SLACK.escape(text) == expected


@QUICKLY
@given(TRICKS)
@example(HARMLESS)
def test_slack_shows_the_text_that_was_written_and_nothing_else(text: str) -> None:
    escaped = SLACK.escape(text)
    assert not re.search("[<>]", escaped)
    read = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert unseen(read) == unseen(text)
    assert not re.search(r"(^|[^0-9A-Za-z\u200b*_~`])[*_~`]", escaped), "emphasis could begin here"


@QUICKLY
@given(TRICKS)
@example(HARMLESS)
@example("1. one\n# two\n- three\n> four\n[a](https://x) **b** `c` <at>all</at> &lt; {{DATE(x)}}")
def test_teams_shows_no_markup_of_foreign_text(text: str) -> None:
    escaped = TEAMS.escape(text.replace("\n", " "))
    shown = MarkdownIt("commonmark", {"html": False}).render(f"said: {escaped}")
    assert set(re.findall(r"<(\w+)", shown)) <= {"p", "br"}
    assert "{{" not in escaped
    assert "<at" not in escaped.lower()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("[x](https://y)", rf"\[x\]{NO_WIDTH}(https://y)", id="a link is text"),
        pytest.param("<at>Ana</at>", f"<{NO_WIDTH}at>Ana<{NO_WIDTH}/at>", id="a mention notifies nobody"),
        pytest.param("{{DATE(2026)}}", f"{{{NO_WIDTH}{{DATE(2026)}}}}", id="no date is reckoned"),
        pytest.param("kube_pod_info", "kube_pod_info", id="underscores within a name stay as they are"),
        pytest.param("# loud", r"\# loud", id="a line does not become a heading"),
        pytest.param("- one", r"\- one", id="a line does not become a list"),
        pytest.param("1. one", r"1\. one", id="a line does not become a numbered list"),
        pytest.param("-5 pods", "-5 pods", id="a negative number stays as it is"),
        pytest.param("&lt;", "&amp;lt;", id="an entity is shown as it is written"),
        pytest.param("a & b", "a & b", id="an ampersand by itself stays as it is"),
        pytest.param("C:\\temp", r"C:\\temp", id="a backslash is shown"),
    ],
)
def test_teams_text(text: str, expected: str) -> None:
    assert TEAMS.escape(text) == expected


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    ("url", "fine"),
    [
        pytest.param("https://example.com/a?b=c&d=e#f", True, id="https"),
        pytest.param("http://10.0.0.1:9090/graph", True, id="http with a port"),
        pytest.param("https://[::1]:9090/", True, id="an IPv6 address"),
        pytest.param("javascript:alert(1)", False, id="a script"),
        pytest.param("data:text/html,x", False, id="data"),
        pytest.param("https://", False, id="no host"),
        pytest.param("https://[::1", False, id="half an IPv6 address"),
        pytest.param("https://example.com@evil.io/", False, id="a user that reads like a host"),
        pytest.param("https://example.com\\@evil.io/", False, id="a backslash in the host"),
        pytest.param("https://a b", False, id="white space"),
        pytest.param("https://a\n.b", False, id="a new line"),
        pytest.param("https://a/" + "b" * 3000, False, id="longer than vendors take"),
        pytest.param("https://a/" + "é" * 400, False, id="longer than vendors take, once it is written out"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_link_leads_by_http_or_is_text_alone(name: str, url: str, fine: bool) -> None:
    assert is_address(url) is fine
    assert (DIALECTS[name].link(url, "Here") == "Here") is not fine


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(SLACK.link("https://x.io/a|b>c", "a|<b"), "<https://x.io/a%7Cb%3Ec|a¦&lt;b>", id="slack"),
        pytest.param(SLACK.link("http://[::1]:9/a[0]", "a"), "<http://[::1]:9/a%5B0%5D|a>", id="slack with IPv6"),
        pytest.param(TEAMS.link("https://x.io/a)(b", "a](b"), rf"[a\]{NO_WIDTH}(b](https://x.io/a%29%28b)", id="teams"),
    ],
)
def test_neither_address_nor_text_ends_a_link_early(written: str, expected: str) -> None:
    assert written == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(SLACK.bold("a*b"), f"*a{NO_WIDTH}*{NO_WIDTH}b*", id="slack bold with a star in it"),
        pytest.param(SLACK.code("a`b <c>"), "`a'b &lt;c&gt;`", id="slack code with a tick in it"),
        pytest.param(SLACK.bold("  "), "", id="slack bold of nothing"),
        pytest.param(SLACK.mention("U023BECGF"), "<@U023BECGF>", id="slack user"),
        pytest.param(SLACK.mention("S023BECGF"), "<!subteam^S023BECGF>", id="slack user group"),
        pytest.param(SLACK.mention("!channel"), "@!channel", id="what is no slack id notifies nobody"),
        pytest.param(
            SLACK.instant(AT), "<!date^1795979141^{date_short_pretty} {time}|2026-11-29 19:05 UTC>", id="slack instant"
        ),
        pytest.param(TEAMS.bold("a*b"), r"**a\*b**", id="teams bold with a star in it"),
        pytest.param(TEAMS.code("a_b `c`"), r"a_b \`c\`", id="teams has no code"),
        pytest.param(
            TEAMS.instant(AT),
            "{{DATE(2026-11-29T19:05:41Z)}} {{TIME(2026-11-29T19:05:41Z)}}",
            id="teams instant",
        ),
        pytest.param(PLAIN.instant(AT), "2026-11-29 19:05 UTC", id="plain instant"),
        pytest.param(PLAIN.link("https://x.io", "Here"), "Here (https://x.io)", id="plain link"),
    ],
)
def test_emphasis(written: str, expected: str) -> None:
    assert written == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"a {marks.bold('<b>')} c", "a *&lt;b&gt;* c", id="what is marked is bold, the rest is text"),
        pytest.param(marks.bold(marks.code("b")), "*b*", id="of marks within marks the outer one holds"),
        pytest.param(marks.bold("b")[:-1], "b", id="a mark that was cut off is none"),
        pytest.param(marks.link("Here", "https://x.io/?a=1&b=2"), "<https://x.io/?a=1&amp;b=2|Here>", id="a link"),
        pytest.param(marks.link("Here", "ftp://x"), "Here", id="no link to elsewhere"),
        pytest.param(marks.foreign(marks.bold("b")), "b", id="foreign text has no marks"),
        pytest.param("\x0599999999999999\x06!", "!", id="an instant that no calendar has"),
        pytest.param("a\nb", "a\nb", id="lines keep their ends"),
    ],
)
def test_marks_become_markup(text: str, expected: str) -> None:
    assert marks.written(text, SLACK) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\x1b[31mb\x00", "a[31mb", id="control characters"),
        pytest.param("a\u202eb\u2066c", "abc", id="characters that turn the direction of reading"),
        pytest.param("a\ud800b", "ab", id="half a pair, which cannot be sent"),
        pytest.param("a\r\nb\rc\nd", "a\u2028b\u2028c\u2028d", id="a line that breaks is no line of the template"),
    ],
)
def test_foreign_text_is_rid_of(text: str, expected: str) -> None:
    assert marks.foreign(text) == expected


@QUICKLY
@given(TRICKS)
def test_foreign_text_is_one_line_where_lines_count(text: str) -> None:
    assert "\n" not in marks.written_line(marks.foreign(text), PLAIN)
    assert "\n" not in marks.foreign(text)

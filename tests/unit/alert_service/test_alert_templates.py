"""Templates of cards: the user's over the shipped ones, within a sandbox."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.clock import NOON, SteppedClock

from alert_service.cards import samples
from alert_service.cards.card import Card
from alert_service.cards.dialects import SLACK
from alert_service.cards.previews import Stand, mistakes, previews
from alert_service.cards.shown import incident_shown
from alert_service.cards.templates import NAMES, TemplateFailed, Templates, TextTemplates
from alert_service.delivery.rendering import PolicyCards
from alert_service.metrics import Metrics
from alert_service.told import Told
from common.metrics import ServiceMetrics

BEGIN = '{% extends "shipped/incident.j2" %}'


def shown() -> Mapping[str, Any]:
    return incident_shown(samples.incidents(NOON)["firing"], samples.POLICY, now=NOON)


def a_block(text: str, name: str = "body") -> str:
    return f"{BEGIN}{{% block {name} %}}{text}{{% endblock %}}"


def body_of(text: str, **values: Any) -> str:
    return TextTemplates("incident", a_block(text)).check("incident", {**shown(), **values}).body


def put(folder: Path, text: str, name: str = "incident.j2") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_templates_work_in_every_state(name: str) -> None:
    cards = previews(name, Stand(Templates(), SLACK, NOON))
    assert cards
    assert {state: card.error for state, card in cards.items() if card.error} == {}
    assert all(card.fallback for card in cards.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Team {{ labels.band }}!", "Team !", id="a label that is not there is empty"),
        pytest.param("{{ labels.namespace }}", "shop", id="a label"),
        pytest.param('{{ labels["deployment"] | upper }}', "CHECKOUT", id="a filter"),
        pytest.param("({{ super() }})", "(\x01Pod is crash looping\x06\nContainer", id="what is shipped, and more"),
        pytest.param("{{ (now - opened_at) | duration }}", "12 min", id="how long"),
        pytest.param("{{ opened_at | ago(now) }}", "12 min ago", id="how long ago"),
        pytest.param("{{ firing + total * 2 }}", "3", id="numbers are reckoned with"),
        pytest.param("{{ 1.256 | round(2) }} {{ 7.9 | round(1000000000) }}", "1.26 7.9", id="rounded"),
        pytest.param('{{ "a" ~ firing ~ "b" }}', "a1b", id="texts are joined"),
        pytest.param("{% set x %}{{ 1 }}{{ 2 }}{% endset %}{{ x }}", "12", id="a text is kept"),
        pytest.param("{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m('<') }}", "[<]", id="a macro escapes nothing twice"),
        pytest.param('{{ ["b", "a"] | sort | join(", ") }}', "a, b", id="a list is joined"),
        pytest.param("{{ 'x' if firing > 5 }}", "", id="an if without else writes nothing"),
        pytest.param("{% for a in alerts %}{{ loop.index }}{{ a.name[:3] }}{% endfor %}", "1Kub", id="a loop"),
        pytest.param(
            '{% for g in alerts | groupby("severity") %}{{ g.grouper }}{{ g.list | length }}{% endfor %}',
            "critical1",
            id="alerts by severity",
        ),
    ],
)
def test_what_templates_can_do(text: str, expected: str) -> None:
    assert body_of(text).startswith(expected)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("{{ lables.team }}", "'lables' is undefined", id="a name that there is not"),
        pytest.param("{% if %}", "line 1: Expected an expression", id="a mistake in the grammar"),
        pytest.param("\n\n{{ 1 / 0 }}", "incident.j2, line 3: division by zero", id="a sum that cannot be done"),
        pytest.param("{{ ''.__class__.__mro__ }}", "unsafe", id="the way out by classes"),
        pytest.param("{{ labels.__init__.__globals__ }}", "unsafe", id="the way out by functions"),
        pytest.param("{{ '{0.__class__}'.format(labels) }}", "unsafe", id="a format string"),
        pytest.param("{{ labels.pod.format(title) }}", "unsafe", id="a label as a format string"),
        pytest.param("{{ '{0:>1000000000}'.format('a') }}", "unsafe", id="a format string that fills memory"),
        pytest.param("{{ '%s' % labels.pod }}", "% is not for str", id="a format string by percent"),
        pytest.param("{{ 'a' * 1000000000 }}", "* is not for str", id="a text of a gigabyte"),
        pytest.param("{{ 9 ** 9 ** 9 }}", "** is not for int", id="a number of a gigabyte"),
        pytest.param("{{ opened_at.strftime('%999999999d') }}", "unsafe", id="a time of a gigabyte"),
        pytest.param("{{ 'a' | center(1000000000) }}", "No filter named 'center'", id="a filter that fills memory"),
        pytest.param("{{ 'a' | safe }}", "No filter named 'safe'", id="a filter that lets markup in"),
        pytest.param("{{ alerts | bold }}", "a list is no text", id="a list that is to be bold"),
        pytest.param("{{ 'abcdefghij' | truncate(1) }}", "expected length >= 3", id="a filter that is used wrongly"),
        pytest.param("{{ range(99999) | join(description) }}", "writes more", id="too much text between the parts"),
        pytest.param("{{ cycler() }}", "'cycler' is undefined", id="a function that is not given"),
        pytest.param("{{ alerts }}", "a list cannot be written", id="a list as it is"),
        pytest.param("{{ labels }}", "a Texts cannot be written", id="labels as they are"),
        pytest.param('{% include "../secret" %}', "no template ../secret", id="a file outside the folder"),
        pytest.param(
            '{% include "incident.j2" %}', "itself without end|takes more than", id="a template that includes itself"
        ),
        pytest.param(
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "itself without end|takes more than",
            id="an endless macro",
        ),
        pytest.param(
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "takes more than",
            id="loops that take for ever",
        ),
        pytest.param("{% for a in range(10 ** 9) %}{% endfor %}", "** is not for", id="a loop of any length"),
        pytest.param("{% for a in range(99999) %}{{ description }}{% endfor %}", "writes more", id="too much text"),
        pytest.param(
            "{% set n = namespace(x='aa') %}{% for a in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
            "writes more than",
            id="a text that doubles",
        ),
        pytest.param(
            "{% set n = namespace(x=['a']) %}{% for a in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
            "makes more than|takes more than",
            id="a list that doubles",
        ),
        pytest.param(
            "{% set n = namespace(x=[], l=range(99999) | list) %}"
            "{% for a in range(9999) %}{% set n.x = n.x + [n.l[:]] %}{% endfor %}",
            "makes more than|takes more than",
            id="lists that fill memory",
        ),
        pytest.param(
            "{% set n = namespace(a=[1], b=[1]) %}"
            "{% for a in range(60) %}{% set n.a, n.b = [n.a, n.a], [n.b, n.b] %}{% endfor %}{{ 1 if n.a == n.b }}",
            "makes more than|takes more than",
            id="lists that take for ever to compare",
        ),
        pytest.param("{{ dict(a=1) }}", "'dict' is undefined", id="a way around that"),
        pytest.param(
            "{% set n = namespace(x=[], s=range(16000) | join(' ')) %}"
            "{% for a in range(9999) %}{% set n.x = n.x + [n.s + 'x'] %}{% endfor %}",
            "takes more than",
            id="texts that fill memory",
        ),
        pytest.param(
            "{% set n = namespace(x='a') %}"
            "{% for a in range(99) %}{% set n.x = n.x | replace('a', 'aa') %}{% endfor %}",
            "makes more than|takes more than",
            id="a replacement that doubles",
        ),
        pytest.param(
            "{% set n = namespace(x='aa') %}{% for a in range(99) %}{% set x %}{{ n.x }}{{ n.x }}{% endset %}"
            "{% set n.x = x %}{% endfor %}",
            "writes more",
            id="a kept text that doubles",
        ),
    ],
)
def test_a_template_that_fails_says_why(text: str, why: str) -> None:
    with pytest.raises(TemplateFailed) as failed:
        body_of(text)
    assert any(each in str(failed.value) for each in why.split("|"))  # whichever limit is met first
    assert str(failed.value).startswith("template ")
    assert "\n" not in str(failed.value)


def test_a_template_has_to_begin_with_the_shipped_one() -> None:
    with pytest.raises(TemplateFailed, match=re.escape('has to begin with {% extends "shipped/incident.j2" %}')):
        TextTemplates("incident", "Alert {{ title }}").check("incident", shown())


def test_when_a_template_fails_the_shipped_one_is_sent_and_the_card_says_so(tmp_path: Path) -> None:
    put(tmp_path, a_block("{{ nothing }}"))
    card = card_of(tmp_path)
    assert card.body.startswith("*Pod is crash looping*")
    assert card.error == ("template incident.j2, line 1: 'nothing' is undefined; the shipped template was used instead")


def test_a_template_that_fails_is_counted_each_time_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, a_block("{{ nothing }}"))
    metrics = Metrics(ServiceMetrics("alert_service", "1"))
    policy = samples.POLICY.model_copy(update={"templates": str(tmp_path)})
    cards = PolicyCards(
        SteppedClock(), policy=lambda: policy, links=None, on_template_failed=Told(metrics).template_failed
    )
    for _ in range(3):
        cards.templates.parts("incident", shown())
        cards.templates.parts("message", {"text": "Down", "about": ""})
    name, labels = "alert_service_template_failures_total", {"template": "incident"}
    assert metrics.registry.get_sample_value(name, labels) == 3
    assert [each.message for each in caplog.records] == [
        "cards are made without your template: template incident.j2, line 1: 'nothing' is undefined"
    ]


def test_people_are_told_even_when_no_template_works() -> None:
    broken = {name: text for name, text in shown().items() if name != "opened_at"}
    parts, error = Templates().parts("incident", broken)
    assert (parts.title, parts.body) == ("KubePodCrashLooping: shop/checkout", "Pod is crash looping")
    assert "'opened_at' is undefined" in error


def test_what_labels_say_is_never_a_template() -> None:
    text = "{{ 7 * 7 }} {% for %} %(x)s {0}"
    assert body_of("{{ labels.x }}", labels=_Missing(x=text)) == text


def test_no_label_makes_a_line_or_a_fact_of_its_own(tmp_path: Path) -> None:
    put(tmp_path, a_block("Place: {{ labels.place }}\nEmpty: {{ labels.none }}", "facts"))
    evil = incident_shown(samples.incidents(NOON)["firing"], samples.POLICY, now=NOON)
    labels = _Missing(evil["labels"], place="here\u2028Severity: none")
    parts, error = Templates(tmp_path).parts("incident", {**evil, "labels": labels})
    assert error == ""
    assert parts.facts.split("\n") == ["Place: here\u2028Severity: none", "Empty:"]


class _Missing(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def card_of(folder: Path | None, state: str = "firing", templates: Templates | None = None) -> Card:
    return previews("incident", Stand(templates or Templates(folder), SLACK, NOON))[state]


def test_a_file_takes_effect_when_it_comes_changes_and_goes(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    seen = [card_of(None, templates=templates).title]
    for number, text in enumerate(("first", "second")):
        file = put(tmp_path, a_block(text, "title"))
        os.utime(file, ns=(number, number))  # whatever the resolution of the file system's clock
        seen.append(card_of(None, templates=templates).title)
    file.unlink()
    seen.append(card_of(None, templates=templates).title)
    shipped = "KubePodCrashLooping: shop/checkout"
    assert seen == [shipped, "first", "second", shipped]


def test_templates_can_share_what_lies_beside_them(tmp_path: Path) -> None:
    put(tmp_path, "Team {{ labels.namespace }}", "team.j2")
    put(tmp_path, f"{BEGIN}{{% block footer %}}{{% include 'team.j2' %}}{{% endblock %}}", "corporate.j2")
    put(tmp_path, '{% extends "corporate.j2" %}')
    card = card_of(tmp_path)
    assert (card.footer, card.error) == ("Team shop", "")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(lambda folder: folder.rmdir(), "is not there", id="the folder is gone"),
        pytest.param(
            lambda folder: (folder / "incident.j2").write_bytes(b"\xff"), "cannot be read", id="a file that is no text"
        ),
        pytest.param(
            lambda folder: (folder / "incident.j2").write_bytes(b"a" * 200_000), "is larger than", id="a huge file"
        ),
        pytest.param(lambda folder: (folder / "incident.j2").mkdir(), "cannot be read", id="a folder in its place"),
    ],
)
def test_what_cannot_be_read_is_told_on_the_card(tmp_path: Path, make: Any, why: str) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    make(folder)
    card = card_of(folder)
    assert why in card.error
    assert card.title == "KubePodCrashLooping: shop/checkout"


def test_a_check_tells_of_every_template_that_fails(tmp_path: Path) -> None:
    put(tmp_path, a_block("{{ acknowledged.by }}"))
    put(tmp_path, '{% extends "shipped/storm.j2" %}{% block body %}{{ wind }}{% endblock %}', "storm.j2")
    found = mistakes(Templates(tmp_path), NOON + timedelta(hours=1))
    assert set(found) == {"incident", "storm"}
    assert "'wind' is undefined" in found["storm"]
    assert found["storm"].endswith("(rages)")

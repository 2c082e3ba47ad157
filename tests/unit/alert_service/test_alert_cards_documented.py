"""What the documents say of cards and of the Slack app is so."""

import re
from pathlib import Path

import pytest
import yaml
from tests.support.clock import NOON

from alert_service.api.slack import router
from alert_service.cards import samples
from alert_service.cards.shown import incident_shown, storm_shown
from alert_service.cards.templates import Templates
from alert_service.policy.parse import parse_policy

DOCS = Path(__file__).parents[3] / "docs"
CARDS = (DOCS / "cards.md").read_text(encoding="utf-8")


def names_of(section: str) -> set[str]:
    """In the first column of the table below a heading."""
    table = CARDS.split(f"### {section}\n")[1].split("\n#")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize(
    ("section", "known"),
    [
        ("incident", set(incident_shown(samples.incidents(NOON)["firing"], samples.POLICY, now=NOON))),
        ("storm", set(storm_shown(samples.storms(NOON)["rages"], NOON))),
        ("message", set(samples.messages()["alone"])),
    ],
)
def test_every_name_that_templates_know_is_documented_and_no_other(section: str, known: set[str]) -> None:
    assert names_of(section) == known


@pytest.mark.parametrize("state", samples.incidents(NOON))
def test_what_parts_of_an_incident_have_is_documented(state: str) -> None:
    shown = incident_shown(samples.incidents(NOON)[state], samples.POLICY, now=NOON)
    for name in ("alerts", "acknowledged", "healing", "escalation", "suppressed"):
        row = next(line for line in CARDS.splitlines() if line.startswith(f"| `{name}` |"))
        parts = shown[name] or {} if name != "alerts" else next(iter(shown[name]), {})
        assert set(parts) <= set(re.findall(r"`(\w+)`", row)), name


def test_every_filter_is_documented() -> None:
    text = CARDS.split("## Text is text")[1].split("\n## ")[0]
    documented = set(re.findall(r"`(\w+)(?:\([\w]*\))?`", text))
    assert Templates().filters - {"d"} <= documented


def test_the_manifest_asks_for_no_more_than_is_used_and_names_the_route() -> None:
    manifest = yaml.safe_load((DOCS / "slack-manifest.yaml").read_text(encoding="utf-8"))
    assert manifest["oauth_config"]["scopes"]["bot"] == ["chat:write", "chat:write.public"]
    path = manifest["settings"]["interactivity"]["request_url"].removeprefix("https://alerts.example.com")
    assert path in {getattr(route, "path", "") for route in router.routes}
    assert len(manifest["display_information"]["name"]) <= 35
    assert len(manifest["display_information"]["description"]) <= 140


@pytest.mark.parametrize("name", ["slack.md", "teams.md"])
def test_the_policies_in_the_documents_are_good(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    found = [each for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "version: 1" in each]
    assert found
    for each in found:
        parse_policy("\n".join(line.removeprefix("   ") for line in each.splitlines()))


@pytest.mark.parametrize("name", ["slack.md", "teams.md", "cards.md"])
def test_every_picture_is_there(name: str) -> None:
    pictures = re.findall(r"\]\((cards/[^)]+\.png)\)", (DOCS / name).read_text(encoding="utf-8"))
    assert len(pictures) >= 4
    assert [each for each in pictures if not (DOCS / each).is_file()] == []


def test_the_template_in_the_document_works(tmp_path: Path) -> None:
    text = re.findall(r"```jinja\n(.*?)```", CARDS, re.DOTALL)[0]
    (tmp_path / "incident.j2").write_text(text, encoding="utf-8")
    shown = incident_shown(samples.incidents(NOON)["firing"], samples.POLICY, now=NOON)
    facts = Templates(tmp_path).check("incident", shown).facts
    assert "Team: \x01checkout\x06" in facts
    assert facts.startswith("Object: ")

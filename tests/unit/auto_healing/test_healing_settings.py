"""The settings of auto_healing: every mistake at once, by its variable, and no secret shown."""

import os
from pathlib import Path

import pytest

from auto_healing.settings import HealingSettings
from common.settings import SettingsInvalid, read
from common.web.signatures import new_secret

OLD, NEW = new_secret(), new_secret()
PREFIX = "AUTO_HEALING_"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def mistakes(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsInvalid) as caught:
        read(HealingSettings)
    return caught.value.mistakes


def test_without_any_variable_nothing_is_acted_on_and_only_this_machine_is_let_in() -> None:
    settings = read(HealingSettings)

    assert settings.policy.file is None
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8081)
    assert settings.monitor.secrets == ()
    assert settings.alertmanager.url == ""
    assert settings.leader.lease == "auto-healing"


def test_all_mistakes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = mistakes(
        monkeypatch,
        WEB__PORT="many",
        MONITOR__URL="health-monitor:8080",
        MONITOR__WEBHOOK_SECRETS="whsec_c2hvcnQ=",
        ALERTMANAGER__URL="alertmanager",
        RUNS__CONCURRENCY="0",
        POLICY__FIEL="policy.yaml",
    )

    named = {line.split(":", 1)[0].split(" ", 1)[0] for line in found}
    assert {PREFIX + name for name in ("WEB__PORT", "MONITOR__URL", "ALERTMANAGER__URL", "RUNS__CONCURRENCY")} <= named
    assert any("MONITOR__WEBHOOK_SECRETS" in line and "bytes" in line for line in found)
    assert any("POLICY__FIEL" in line and "POLICY__FILE" in line for line in found)
    assert len(found) == 6


def test_two_webhook_secrets_hold_while_one_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}MONITOR__WEBHOOK_SECRETS", f" {OLD} , {NEW},")

    assert read(HealingSettings).monitor.secrets == (OLD, NEW)


@pytest.mark.parametrize(
    "secrets",
    [
        pytest.param("hunter2-hunter2", id="no base64"),
        pytest.param(f"{OLD},whsec_aHVudGVyMg==", id="one that is too short beside a good one"),
    ],
)
def test_a_webhook_secret_that_cannot_sign_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, secrets: str
) -> None:
    (line,) = mistakes(monkeypatch, MONITOR__WEBHOOK_SECRETS=secrets)

    assert line.startswith(f"{PREFIX}MONITOR__WEBHOOK_SECRETS")
    assert not any(each in line for each in secrets.split(","))


def test_secrets_come_from_files_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text(f"{NEW}\n", encoding="utf-8")
    monkeypatch.setenv(f"{PREFIX}MONITOR__WEBHOOK_SECRETS_FILE", str(tmp_path / "secrets"))

    assert read(HealingSettings).monitor.secrets == (NEW,)


def test_no_secret_shows_in_what_is_printed_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}MONITOR__WEBHOOK_SECRETS", OLD)
    monkeypatch.setenv(f"{PREFIX}MONITOR__TOKEN", "hunter2-of-the-monitor")

    shown = repr(read(HealingSettings))
    assert OLD not in shown
    assert "hunter2" not in shown

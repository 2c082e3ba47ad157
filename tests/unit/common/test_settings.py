"""Settings come from the environment and from files; every mistake is named at once, and no secret is shown."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from common.database.settings import DatabaseSettings
from common.settings import EXIT_CODE, Settings, SettingsInvalid, load, markdown, read, renewed
from common.web.settings import WebSettings


class MailSettings(BaseModel):
    """Mail. It is sent through one relay;
    others are not tried."""

    password: Annotated[SecretStr | None, Field(description="Password of the relay.")] = None
    port: Annotated[int, Field(ge=1, le=65535, description="Port of the relay.")] = 25
    mode: Annotated[Literal["plain", "tls"] | None, Field(description="How.")] = None
    wait: Annotated[timedelta, Field(ge=timedelta(seconds=1), description="How long.")] = timedelta(seconds=5)
    retries: Annotated[int, Field(le=9, description="How often.")] = 3
    spool: Annotated[Path | None, Field(description="Where.")] = None
    headers: Annotated[dict[str, str], Field(description="Extra | headers.")] = {}
    accounts: Annotated[dict[str, SecretStr], Field(description="Passwords by name.")] = {}


class SampleSettings(Settings):
    """General."""

    model_config = SettingsConfigDict(env_prefix="SAMPLE_")

    name: Annotated[str, Field(description="What it is called.")]
    verbose: Annotated[bool, Field(description="Say more.")] = False
    zones: Annotated[list[str], Field(default_factory=list, description="Only these.")]
    mail: MailSettings = MailSettings()
    database: DatabaseSettings = DatabaseSettings()
    web: WebSettings = WebSettings()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("SAMPLE_NAME", "demo")
    return monkeypatch


def mistakes(**variables: str) -> list[str]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SAMPLE_NAME", "demo")
        for name, value in variables.items():
            environment.setenv(name, value)
        with pytest.raises(SettingsInvalid) as caught:
            read(SampleSettings)
    return caught.value.mistakes


def test_groups_are_set_with_two_underscores(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SAMPLE_MAIL__PORT", "2525")
    environment.setenv("SAMPLE_ZONES", '["a", "b"]')
    environment.setenv("SAMPLE_MAIL__HEADERS", '{"X-A": "1"}')

    settings = read(SampleSettings)

    assert (settings.name, settings.mail.port, settings.zones) == ("demo", 2525, ["a", "b"])
    assert settings.mail.headers == {"X-A": "1"}


def test_a_secret_is_read_from_a_file_without_its_last_line_end(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(" hunter2 \n")
    environment.setenv("SAMPLE_MAIL__PASSWORD_FILE", str(file))

    settings = read(SampleSettings)

    assert settings.mail.password is not None
    assert settings.mail.password.get_secret_value() == " hunter2 "
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("variables", "mistake"),
    [
        pytest.param(
            {"SAMPLE_MAIL__PORT": "70000"},
            "SAMPLE_MAIL__PORT: Input should be less than or equal to 65535",
            id="too large",
        ),
        pytest.param(
            {"SAMPLE_MAIL__PORTT": "1"},
            "SAMPLE_MAIL__PORTT: there is no such setting; did you mean SAMPLE_MAIL__PORT?",
            id="a typing error",
        ),
        pytest.param(
            {"SAMPLE_QQQ": "1"},
            "SAMPLE_QQQ: there is no such setting",
            id="nothing like it",
        ),
        pytest.param(
            {"SAMPLE_ZONES": "a,b"}, 'SAMPLE_ZONES: not JSON; write it like ["a", "b"]', id="a list that is not JSON"
        ),
        pytest.param(
            {"SAMPLE_MAIL__HEADERS": "a=b"},
            'SAMPLE_MAIL__HEADERS: not JSON; write it like {"a": 1}',
            id="a mapping likewise",
        ),
        pytest.param(
            {"SAMPLE_MAIL__HEADERS": '{"a": 1}'},
            "SAMPLE_MAIL__HEADERS: Input should be a valid string (at mail.headers.a)",
            id="something wrong inside a mapping",
        ),
        pytest.param(
            {"SAMPLE_MAIL__PASSWORD_FILE": "/no/such/file"},
            "SAMPLE_MAIL__PASSWORD_FILE: cannot read /no/such/file: No such file or directory",
            id="a file that is not there",
        ),
        pytest.param(
            {"SAMPLE_MAIL__PASSWORD_FILE": "/dev/null", "SAMPLE_MAIL__PASSWORD": "x"},
            "SAMPLE_MAIL__PASSWORD_FILE: SAMPLE_MAIL__PASSWORD is set too; leave one of them out",
            id="a secret given twice",
        ),
        pytest.param(
            {"SAMPLE_DATABASE__URL": "mysql://u:hunter2@h/d"},
            "SAMPLE_DATABASE__URL: only PostgreSQL is supported; write postgresql://user:password@host:5432/name",
            id="another database",
        ),
        pytest.param(
            {"SAMPLE_DATABASE__URL": "hunter2"},
            "SAMPLE_DATABASE__URL: not a URL; write postgresql://user:password@host:5432/name",
            id="no URL at all",
        ),
        pytest.param(
            {"SAMPLE_WEB__TOKENS": "ci:read:hunter2"},
            "SAMPLE_WEB__TOKENS: entry 1 of 1 is not name:scope:sha256 "
            "with a scope of read, approve, operate, delegate, admin and 64 hex digits",
            id="a token in clear text",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_variable(variables: dict[str, str], mistake: str) -> None:
    assert mistakes(**variables) == [mistake]


def test_a_file_of_secrets_by_name_is_json(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "accounts"
    file.write_text('{"ana": "hunter2"}\n')
    environment.setenv("SAMPLE_MAIL__ACCOUNTS_FILE", str(file))
    assert read(SampleSettings).mail.accounts["ana"].get_secret_value() == "hunter2"
    file.write_text("ana=hunter2")
    assert mistakes(SAMPLE_MAIL__ACCOUNTS_FILE=str(file)) == [
        'SAMPLE_MAIL__ACCOUNTS_FILE: not JSON; write it like {"a": 1}'
    ]


def test_secrets_in_files_can_be_replaced_while_the_process_runs(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "accounts"
    file.write_text('{"ana": "hunter2", "ben": "x"}')
    environment.setenv("SAMPLE_MAIL__ACCOUNTS_FILE", str(file))
    environment.setenv("SAMPLE_MAIL__PASSWORD", "kept")
    settings = read(SampleSettings)
    assert renewed(settings) == settings
    file.write_text('{"ana": "hunter3"}')
    found = renewed(settings).mail
    assert {name: each.get_secret_value() for name, each in found.accounts.items()} == {"ana": "hunter3"}
    assert found.password == SecretStr("kept")
    file.write_text("half a fi")
    assert renewed(settings) == settings
    file.unlink()
    assert renewed(settings) == settings


def test_a_file_that_is_not_text_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"\xff\xfe")

    assert mistakes(SAMPLE_MAIL__PASSWORD_FILE=str(file)) == [
        f"SAMPLE_MAIL__PASSWORD_FILE: {file} is not text in UTF-8"
    ]


def test_all_mistakes_are_told_at_once_before_the_process_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAMPLE_VERBOSE", "perhaps")
    monkeypatch.setenv("SAMPLE_DATABASE__URL", "mysql://u:hunter2@h/d")
    monkeypatch.setenv("SAMPLE_COLOUR", "red")

    with pytest.raises(SystemExit) as ended:
        load(SampleSettings)

    output = capsys.readouterr().err
    assert ended.value.code == EXIT_CODE
    assert [line.split(":")[0] for line in output.splitlines()] == [
        "SAMPLE_COLOUR",
        "SAMPLE_DATABASE__URL",
        "SAMPLE_NAME",
        "SAMPLE_VERBOSE",
    ]
    assert "hunter2" not in output


def test_variables_that_kubernetes_adds_for_a_service_of_our_name_are_no_mistakes(
    environment: pytest.MonkeyPatch,
) -> None:
    for name in ("PORT", "PORT_8080_TCP", "PORT_8080_TCP_ADDR", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP"):
        environment.setenv(f"SAMPLE_{name}", "tcp://10.0.0.1:8080")

    assert load(SampleSettings).name == "demo"


def test_the_documentation_is_a_table_for_each_group() -> None:
    text = markdown(SampleSettings)

    assert text.startswith("### General\n\n| Variable | Type | Default | What it is |\n|---|---|---|---|\n")
    assert "| `SAMPLE_NAME` | text | required | What it is called. |" in text
    assert "| `SAMPLE_VERBOSE` | true or false | `false` | Say more. |" in text
    assert "### Mail\n\nIt is sent through one relay; others are not tried.\n\n| Variable" in text
    assert (
        "| `SAMPLE_MAIL__PASSWORD` | secret |  | Password of the relay. "
        "Or `SAMPLE_MAIL__PASSWORD_FILE`, the path of a file that holds it. |" in text
    )
    assert "| `SAMPLE_MAIL__PORT` | integer, 1 to 65535 | `25` | Port of the relay. |" in text
    assert "| `SAMPLE_MAIL__MODE` | `plain` or `tls` |  | How. |" in text
    assert "| `SAMPLE_MAIL__WAIT` | duration, at least 0:00:01 | `0:00:05` | How long. |" in text
    assert "| `SAMPLE_MAIL__RETRIES` | integer, at most 9 | `3` | How often. |" in text
    assert "| `SAMPLE_MAIL__SPOOL` | path |  | Where. |" in text
    assert "| `SAMPLE_MAIL__HEADERS` | dict[str, str] | `{}` | Extra \\| headers. |" in text

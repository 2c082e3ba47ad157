"""Schemathesis against the whole of alert_service, over a real PostgreSQL.

No answer is a server error, and none is undocumented.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import requests
import schemathesis
from pydantic import SecretStr
from tests.support.contract import beside_the_service, ready, repeatable, schema_of
from tests.support.postgres import Postgres

from alert_service import app
from alert_service.api.routes import ROUTERS
from alert_service.policy.reference import EXAMPLE
from alert_service.settings import AlertPolicySettings, AlertSettings, AlertWebSettings, ChannelSettings, SlackSettings
from common.database.settings import DatabaseSettings
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.auth import Scope
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens, new_token

pytestmark = [pytest.mark.database, beside_the_service]

TOKEN, ENTRY = new_token("admin", Scope.ADMIN)
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
NOWHERE = "http://127.0.0.1:1"

schema = schema_of(
    create_app(
        "alert_service",
        "1.0",
        routers=ROUTERS,
        authenticator=StaticTokens.parse(ENTRY),
        probes=(),
        metrics=ServiceMetrics("alert_service", "1.0"),
        settings=WebSettings(),
    ).openapi()
)


@pytest.fixture(scope="module")
def address(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its vendors are not there, which is no reason for a server error."""
    url = postgres.new_database()
    policy: Path = tmp_path_factory.mktemp("policy") / "policy.yaml"
    policy.write_text(EXAMPLE)
    settings = AlertSettings(
        web=AlertWebSettings(port=0, tokens=SecretStr(ENTRY), shutdown_grace_seconds=1),
        database=DatabaseSettings(url=SecretStr(url)),
        policy=AlertPolicySettings(file=policy),
        slack=SlackSettings(token=SecretStr("xoxb-test"), signing_secret=SecretStr("secret"), api_url=f"{NOWHERE}/"),
        channels=ChannelSettings(urls={"sre-teams": SecretStr(f"{NOWHERE}/workflow")}),
    )

    with ready(partial(app.run, settings)) as address:
        yield address
    postgres.drop_database(url)


@schema.parametrize()
@repeatable
def test_every_answer_of_alerting_is_documented(
    case: schemathesis.Case, address: str, session: requests.Session
) -> None:
    case.call_and_validate(base_url=address, session=session, headers=HEADERS)

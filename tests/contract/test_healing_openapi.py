"""Schemathesis against the whole of auto_healing, over a real API server and a real PostgreSQL.

No answer is a server error, and none is undocumented.
"""

from collections.abc import Iterator
from functools import partial

import pytest
import requests
import schemathesis
from pydantic import SecretStr
from tests.support.contract import beside_the_service, ready, repeatable, schema_of
from tests.support.postgres import Postgres

from auto_healing import app
from auto_healing.api.routes import ROUTERS
from auto_healing.settings import HealingSettings, HealingWebSettings
from common.database.settings import DatabaseSettings
from common.kube.settings import ClusterSettings
from common.metrics import ServiceMetrics
from common.monitor.settings import MonitorPeerSettings
from common.web.app import create_app
from common.web.auth import Scope
from common.web.settings import WebSettings
from common.web.signatures import new_secret
from common.web.static_tokens import StaticTokens, new_token
from devcluster import DevCluster, Settings, testing

pytestmark = [pytest.mark.database, pytest.mark.cluster, beside_the_service]

TOKEN, ENTRY = new_token("admin", Scope.ADMIN)
HEADERS = {"Authorization": f"Bearer {TOKEN}"}

schema = schema_of(
    create_app(
        "auto_healing",
        "1.0",
        routers=ROUTERS,
        authenticator=StaticTokens.parse(ENTRY),
        probes=(),
        metrics=ServiceMetrics("auto_healing", "1.0"),
        settings=WebSettings(),
    ).openapi()
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[DevCluster]:
    """One of its own: what is asked for by chance may be done."""
    with testing.private_cluster(Settings(nodes=2, controllers=False)) as found:
        yield found


@pytest.fixture(scope="module")
def address(postgres: Postgres, cluster: DevCluster) -> Iterator[str]:
    url = postgres.new_database()
    settings = HealingSettings(
        cluster=ClusterSettings(kubeconfig=cluster.kubeconfig, name="test"),
        web=HealingWebSettings(port=0, tokens=SecretStr(ENTRY), shutdown_grace_seconds=1),
        database=DatabaseSettings(url=SecretStr(url)),
        monitor=MonitorPeerSettings(url="http://127.0.0.1:1", webhook_secrets=SecretStr(new_secret())),
    )

    with ready(partial(app.run, settings)) as address:
        yield address
    postgres.drop_database(url)


@schema.parametrize()
@repeatable
def test_every_answer_of_healing_is_documented(
    case: schemathesis.Case, address: str, session: requests.Session
) -> None:
    case.call_and_validate(base_url=address, session=session, headers=HEADERS)

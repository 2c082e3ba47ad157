"""Schemathesis against the API over real rows and a real PostgreSQL: no server error, no undocumented answer."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
import requests
import schemathesis
from tests.support.contract import beside_the_service, repeatable, schema_of, serving_in_a_thread
from tests.support.health_api import an_api, bearer
from tests.support.health_database import MIGRATIONS, an_event, claim, health_target
from tests.support.postgres import Postgres
from tests.support.rows import a_condition, a_deployment, a_namespace, a_node, a_pod, a_snapshot

from common.contracts import Change
from common.database.connections import Database
from common.database.migrate import upgrade_blocking
from common.database.settings import DatabaseSettings
from common.web.auth import Scope
from common.web.serve import listen, serve, url_of

pytestmark = [pytest.mark.database, beside_the_service]

# The stream has no end; its own tests read from it.
finite = schema_of(an_api(a_snapshot()).app.openapi()).exclude(path="/api/v1/stream")


def a_cluster() -> object:
    return a_snapshot(
        a_namespace(),
        a_node("n1", conditions=(a_condition("Ready", "False"),)),
        a_node("n2"),
        a_deployment(),
        a_pod("p1", labels={"app": "web"}),
        a_pod("p2", phase="Failed", reason="Evicted"),
    )


@pytest.fixture(scope="module")
def address(postgres: Postgres) -> Iterator[str]:
    template = postgres.template("health_template", lambda url: upgrade_blocking(health_target(url), MIGRATIONS))
    url = postgres.new_database(template)

    async def serving(stop: asyncio.Event, tell: Callable[[str], None]) -> None:
        sock = listen("127.0.0.1", 0)
        database = Database(health_target(url), DatabaseSettings())
        api = an_api(a_cluster(), database)
        api.stopping.set()  # nobody waits for events that do not come
        await api.store(await claim(database), [an_event(change=change) for change in Change])
        tell(url_of(sock))
        await serve(api.app, sock, stop=stop, grace_seconds=1)
        await database.close()

    with serving_in_a_thread(serving) as address:
        yield address
    postgres.drop_database(url)


@finite.parametrize()
@repeatable
def test_every_answer_is_documented(case: schemathesis.Case, address: str, session: requests.Session) -> None:
    case.call_and_validate(base_url=address, session=session, headers=bearer(Scope.ADMIN))

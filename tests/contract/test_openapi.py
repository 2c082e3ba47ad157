"""Schemathesis against the API over real rows and a real PostgreSQL: no server error, no undocumented answer."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import (
    CacheConfig,
    ChecksConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
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

pytestmark = pytest.mark.database

# What is well-formed may still name something that is not there (404), is no longer kept (410), or has no meaning,
# such as a cursor of another list (422).
ACCEPTED = ["2xx", "401", "403", "404", "409", "410", "422", "5xx"]
EXAMPLES = 10

described = an_api(a_snapshot()).app.openapi()
config = SchemathesisConfig(
    cache=CacheConfig(enabled=False),
    projects=ProjectsConfig(
        default=ProjectConfig(
            checks=ChecksConfig(positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=ACCEPTED))
        )
    ),
)
schema = schemathesis.openapi.from_dict(described, config=config)
# The stream has no end; its own tests read from it.
finite = schema.exclude(path="/api/v1/stream")


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
    """A server in a thread of its own, so that its loop is one and the same for all requests."""
    template = postgres.template("health_template", lambda url: upgrade_blocking(health_target(url), MIGRATIONS))
    url = postgres.new_database(template)
    sock = listen("127.0.0.1", 0)
    address = url_of(sock)
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), Future[None]()

    async def main() -> None:
        database = Database(health_target(url), DatabaseSettings())
        api = an_api(a_cluster(), database)
        api.stopping.set()  # nobody waits for events that do not come
        await api.store(await claim(database), [an_event(change=change) for change in Change])
        ready.set_result(None)
        await serve(api.app, sock, stop=stop, grace_seconds=1)
        await database.close()

    def run() -> None:
        try:
            loop.run_until_complete(main())
        except BaseException as error:
            ready.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()
    ready.result(60)
    yield address
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)
    loop.close()
    postgres.drop_database(url)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as kept_alive:
        yield kept_alive


@finite.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_documented(case: schemathesis.Case, address: str, session: requests.Session) -> None:
    case.call_and_validate(base_url=address, session=session, headers=bearer(Scope.ADMIN))

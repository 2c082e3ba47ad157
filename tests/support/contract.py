"""What the contract tests of all services share: how Schemathesis asks, and a service that it can ask."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import (
    CacheConfig,
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)

from devcluster.api import wait_for

# What is well-formed may still name something that is not there (404), is no longer kept (410), or has no meaning,
# such as a cursor of another list (422); and no text may hold a NUL character (400).
ACCEPTED = ["2xx", "400", "401", "403", "404", "409", "410", "422", "5xx"]

# The same questions in every run.
repeatable = settings(
    max_examples=10, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

# The service runs in this process, and may draw a pause by chance while Hypothesis looks whether a strategy does.
beside_the_service = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

READY_SECONDS = 120.0

Running = Callable[[asyncio.Event, Callable[[str, str | None], None]], Awaitable[None]]  # until stopped; as `app.run`
Serving = Callable[[asyncio.Event, Callable[[str], None]], Awaitable[None]]  # until stopped; tells its address


def schema_of(described: dict[str, Any]) -> Any:
    """Schemathesis' view of an OpenAPI description."""
    config = SchemathesisConfig(
        cache=CacheConfig(enabled=False),
        projects=ProjectsConfig(
            default=ProjectConfig(
                checks=ChecksConfig(positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=ACCEPTED)),
                # The test brings the credential, so leaving it out by chance would not be seen by the service. That
                # nobody is let in without one is a check of its own.
                generation=GenerationConfig(with_security_parameters=False),
            )
        ),
    )
    return schemathesis.openapi.from_dict(described, config=config)


@contextmanager
def ready(run: Running) -> Iterator[str]:
    """The address of a whole service, once it is ready."""

    async def serving(stop: asyncio.Event, tell: Callable[[str], None]) -> None:
        await run(stop, lambda address, _: tell(address))

    with serving_in_a_thread(serving) as address:
        wait_for("the service", lambda: requests.get(f"{address}/readyz", timeout=30).ok, READY_SECONDS)
        yield address


@contextmanager
def serving_in_a_thread(serving: Serving) -> Iterator[str]:
    """The address of a service in a thread of its own, so that its loop is one and the same for all requests."""
    loop, stop, address = asyncio.new_event_loop(), asyncio.Event(), Future[str]()

    def run() -> None:
        try:
            loop.run_until_complete(serving(stop, address.set_result))
        except BaseException as error:
            if address.done():
                raise
            address.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield address.result(120)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()

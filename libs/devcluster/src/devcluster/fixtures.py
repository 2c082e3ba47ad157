"""The pytest plugin: fixtures for real clusters. It is loaded in every run, so it imports nothing until it is used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .cluster import DevCluster


def _run(config: pytest.Config) -> int:
    """The process id of the run's main process: this one, or the parent of a pytest-xdist worker."""
    return os.getppid() if hasattr(config, "workerinput") else os.getpid()


@pytest.fixture(scope="session")
def devcluster_shared(request: pytest.FixtureRequest) -> Iterator[DevCluster]:
    """One cluster for the whole run, shared by all workers. Tests leave nodes and other namespaces as they were."""
    from . import testing

    cluster = testing.shared_cluster(_run(request.config))
    yield cluster
    cluster.close()


@pytest.fixture
def namespace(devcluster_shared: DevCluster) -> Iterator[str]:
    """A namespace of the shared cluster for one test."""
    from . import testing

    with testing.fresh_namespace(devcluster_shared) as name:
        yield name


@pytest.fixture
def private_cluster(request: pytest.FixtureRequest) -> Iterator[DevCluster]:
    """A cluster for one test that breaks it; ``Settings`` by indirect parametrization."""
    from . import testing

    with testing.private_cluster(getattr(request, "param", None)) as cluster:
        yield cluster


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the shared cluster after the last worker; the guardian does it where the run is killed."""
    if hasattr(config, "workerinput"):
        return
    import sys

    if "devcluster.testing" in sys.modules or config.getoption("numprocesses", None):
        from . import testing

        testing.end_shared_cluster(_run(config))

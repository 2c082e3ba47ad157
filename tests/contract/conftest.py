"""What all contract tests ask with."""

from collections.abc import Iterator

import pytest
import requests


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """One connection for all questions."""
    with requests.Session() as kept_alive:
        yield kept_alive

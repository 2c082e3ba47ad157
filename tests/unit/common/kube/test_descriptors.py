"""What uvloop takes for another's connection is a connection that failed, so that it is tried again."""

import pytest

from common.kube.transport import descriptors_mistaken


def test_a_descriptor_taken_for_anothers_is_a_connection_that_failed() -> None:
    with pytest.raises(ConnectionError, match="could not be begun"), descriptors_mistaken():
        raise RuntimeError("File descriptor 14 is used by transport <TCPTransport closed=False reading=True>")


def test_any_other_mistake_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="event loop"), descriptors_mistaken():
        raise RuntimeError("no running event loop")

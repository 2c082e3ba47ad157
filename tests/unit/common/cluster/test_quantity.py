"""Quantities, as https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ defines them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cluster.quantity import millicores, whole


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        pytest.param("250m", 250, id="thousandths"),
        pytest.param("2", 2000, id="whole cores"),
        pytest.param("0.1", 100, id="a fraction"),
        pytest.param("1500000n", 2, id="billionths are rounded up"),
        pytest.param("100u", 1, id="millionths are rounded up"),
        pytest.param("1e-1", 100, id="an exponent"),
        pytest.param("1k", 1_000_000, id="thousands of cores"),
        pytest.param("0", 0, id="none"),
    ],
)
def test_millicores(text: str, amount: int) -> None:
    assert millicores(text) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        pytest.param("1Gi", 2**30, id="powers of two"),
        pytest.param("1G", 10**9, id="powers of ten"),
        pytest.param("1.5Ki", 1536, id="a fraction of a power"),
        pytest.param("128974848", 128974848, id="plain bytes"),
        pytest.param("129e6", 129_000_000, id="a small exponent"),
        pytest.param("1E", 10**18, id="exa, which looks like an exponent"),
        pytest.param("1E3", 1000, id="a capital exponent"),
        pytest.param("123m", 1, id="thousandths of a byte are rounded up"),
        pytest.param("20Ei", 2**63 - 1, id="more than the API server holds is cut"),
        pytest.param("-5", -5, id="negative"),
    ],
)
def test_whole(text: str, amount: int) -> None:
    assert whole(text) == amount


@pytest.mark.parametrize("text", ["", "plenty", "1Kb", "1 Gi", "NaN", "Infinity", "i", "1mm", "--1", "1e", "٣"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Kubernetes quantity"):
        whole(text)


@given(st.from_regex(r"[+-]?[0-9]{1,6}(\.[0-9]{1,6})?(e-?[0-9]{1,4}|[numkMGTPE]|[KMGTPE]i)?", fullmatch=True))
def test_any_quantity_is_a_number_within_bounds(text: str) -> None:
    assert -(2**63) < whole(text) < 2**63


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(whole(text), int)

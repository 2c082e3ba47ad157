"""The identity of an alert: FNV-1a over its sorted labels, as Prometheus and Alertmanager compute it.

https://github.com/prometheus/common/blob/main/model/signature.go
"""

from collections.abc import Mapping

_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF
_BETWEEN = b"\xff"  # in no UTF-8 text


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """16 hexadecimal digits."""
    value = _OFFSET
    for name in sorted(labels):
        for byte in b"".join((name.encode(), _BETWEEN, labels[name].encode(), _BETWEEN)):
            value = ((value ^ byte) * _PRIME) & _MASK
    return f"{value:016x}"

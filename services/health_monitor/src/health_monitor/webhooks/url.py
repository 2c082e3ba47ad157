"""Which addresses a webhook may be sent to. Checked when a subscription is made, and again for every connection.

Receivers inside a cluster have private addresses, so those are allowed unless the settings say otherwise. Link-local
ones never are: there live the metadata services of clouds, which hand out credentials.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LONGEST_URL = 2048
# By which hosts that have IPv6 alone reach IPv4 (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Reachable like link-local addresses but outside of their block: the metadata services of AWS (IPv6) and Alibaba Cloud.
_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})


class UrlRefused(ValueError):
    """A webhook may not be sent there; the message says why."""


def checked_url(url: str, *, allow_private: bool) -> str:
    """The URL, when it is one of a webhook; a host name is resolved only when it is used. Raises UrlRefused."""
    if len(url) > _LONGEST_URL:
        raise UrlRefused(f"the URL is longer than {_LONGEST_URL} characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UrlRefused(f"not a URL: {error}") from None
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise UrlRefused("write a URL such as https://receiver.example/hooks")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("leave user and password out of the URL: webhooks are signed with a secret of their own")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise UrlRefused("the URL contains blanks or control characters")
    if (address := _address(host)) is not None:
        check_address(address, allow_private=allow_private)
    return url


def _address(host: str) -> str | None:
    """The address that a host stands for without asking a name server, odd spellings such as 2852039166 included."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def check_address(address: str, *, allow_private: bool) -> None:
    """Raises UrlRefused for an address that no webhook may be sent to."""
    ip = _meant(ipaddress.ip_address(address.partition("%")[0]))
    if ip.is_link_local or ip in _METADATA:
        raise UrlRefused(f"{ip} is a link-local or metadata address")
    if ip.is_multicast or ip.is_unspecified or (ip.is_reserved and not ip.is_loopback):
        raise UrlRefused(f"{ip} is no address of a server")
    if ip.is_private and not allow_private:
        raise UrlRefused(f"{ip} is a private address, which the settings do not allow")


def _meant(ip: _Address) -> _Address:
    """The IPv4 address inside of one of IPv6."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip


class GuardedResolver(AbstractResolver):
    """Resolves names and refuses what may not be connected to, so that a name cannot turn out to be something else."""

    def __init__(self, *, allow_private: bool) -> None:
        self._resolver = ThreadedResolver()
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            check_address(each["host"], allow_private=self._allow_private)
        return found

    async def close(self) -> None:
        await self._resolver.close()

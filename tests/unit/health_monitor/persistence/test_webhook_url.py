"""Where webhooks may go."""

import socket

import pytest

from health_monitor.webhooks.url import GuardedResolver, UrlRefused, check_address, checked_url


@pytest.mark.parametrize(
    "url",
    [
        "https://receiver.example/hooks?tenant=1",
        "http://receiver.shop.svc.cluster.local:8080/",
        "http://10.1.2.3/hooks",
        "http://127.0.0.1:9000",
        "http://[fd12::1]:8080/hooks",
        "https://193.0.2.9/",
        "https://[64:ff9b::c100:209]/",
    ],
)
def test_a_url_of_a_receiver_is_taken(url: str) -> None:
    assert checked_url(url, allow_private=True) == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("ftp://receiver.example/", "write a URL such as", id="another scheme"),
        pytest.param("receiver.example/hooks", "write a URL such as", id="no scheme"),
        pytest.param("https:///hooks", "write a URL such as", id="no host"),
        pytest.param("http://receiver.example:99999/", "not a URL", id="no such port"),
        pytest.param("http://receiver.example:0/", "write a URL such as", id="port zero"),
        pytest.param("http://[fd12::/", "not a URL", id="half an address"),
        pytest.param("http://me:secret@receiver.example/", "leave user and password out", id="a password"),
        pytest.param("http://receiver.example/a b", "blanks or control", id="a blank"),
        pytest.param("http://receiver.example/\x07", "blanks or control", id="a control character"),
        pytest.param("http://receiver.example/" + "a" * 3000, "longer than", id="endless"),
        pytest.param("http://169.254.169.254/latest/", "link-local or metadata", id="the metadata service"),
        pytest.param("http://2852039166/latest/", "link-local or metadata", id="the same as one number"),
        pytest.param("http://0xa9.0xfe.0xa9.0xfe/", "link-local or metadata", id="the same in hexadecimal"),
        pytest.param("http://[::ffff:169.254.169.254]/", "link-local or metadata", id="the same within IPv6"),
        pytest.param("http://[64:ff9b::a9fe:a9fe]/", "link-local or metadata", id="the same through NAT64"),
        pytest.param("http://[fe80::1%25eth0]/", "link-local or metadata", id="link-local IPv6 with a zone"),
        pytest.param("http://[fd00:ec2::254]/", "link-local or metadata", id="the metadata service over IPv6"),
        pytest.param("http://100.100.100.200/", "link-local or metadata", id="another cloud's metadata service"),
        pytest.param("http://0.0.0.0/", "no address of a server", id="any address"),
        pytest.param("http://224.0.0.1/", "no address of a server", id="multicast"),
        pytest.param("http://255.255.255.255/", "no address of a server", id="broadcast"),
    ],
)
def test_any_other_url_is_refused_with_the_reason(url: str, says: str) -> None:
    with pytest.raises(UrlRefused, match=says):
        checked_url(url, allow_private=True)


@pytest.mark.parametrize("address", ["10.1.2.3", "127.0.0.1", "192.168.7.7", "::1", "fd12::1"])
def test_private_addresses_can_be_forbidden(address: str) -> None:
    check_address(address, allow_private=True)
    with pytest.raises(UrlRefused, match="private"):
        check_address(address, allow_private=False)


async def test_a_name_that_stands_for_a_forbidden_address_is_refused() -> None:
    async def resolved(allow_private: bool) -> list[str]:
        resolver = GuardedResolver(allow_private=allow_private)
        try:
            return [each["host"] for each in await resolver.resolve("localhost", 80, socket.AF_INET)]
        finally:
            await resolver.close()

    assert await resolved(allow_private=True) == ["127.0.0.1"]
    with pytest.raises(UrlRefused, match=r"127\.0\.0\.1 is a private address"):
        await resolved(allow_private=False)

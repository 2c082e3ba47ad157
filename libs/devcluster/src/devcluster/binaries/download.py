"""Fetches published programs and checks them against the checksums their projects publish."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import httpx

from .cache import target
from .catalog import Download, Sites, Tool
from .progress import Progress, say

CONNECT_TIMEOUT_SECONDS = 3.0
STALL_TIMEOUT_SECONDS = 10.0


class DownloadError(Exception):
    """A file that could not be had, or is not what its project published; the text says which and why."""


def fetch(tools: tuple[Tool, ...], into: Path, sites: Sites) -> set[str]:
    """Downloads what is published into a folder; the names of the programs it got.

    A site that cannot be reached is asked once. Nothing is raised: what is missing is for the caller to build.
    """
    got: set[str] = set()
    unreachable: set[str] = set()
    archives: dict[str, Path] = {}
    timeout = httpx.Timeout(STALL_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
    with httpx.Client(timeout=timeout, follow_redirects=True) as client:
        for tool in tools:
            source = tool.download
            base = getattr(sites, source.site) if source else ""
            if source is None or base in unreachable:
                continue
            try:
                _fetch_one(client, tool, source, base=base, into=into, archives=archives)
                got.add(tool.name)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                say(f"{base} cannot be reached, its programs are built instead")
                unreachable.add(base)
            except (DownloadError, httpx.HTTPError, OSError) as error:
                say(f"{tool.name} is not downloaded: {error or type(error).__name__}")
    for archive in archives.values():
        archive.unlink(missing_ok=True)
    return got


def _fetch_one(
    client: httpx.Client, tool: Tool, source: Download, *, base: str, into: Path, archives: dict[str, Path]
) -> None:
    system, architecture = target()

    def fill(template: str) -> str:
        return template.format(base=base, version=tool.version, os=system, arch=architecture)

    url = fill(source.url)
    if url not in archives:
        file = into / f".{url.rsplit('/', 1)[-1]}"
        archives[url] = file
        checksums = client.get(fill(source.checksums))
        _raise_for(checksums)
        expected = published_sum(checksums.text, url.rsplit("/", 1)[-1])
        try:
            _stream(client, url, file, expected)
        except BaseException:
            del archives[url]
            file.unlink(missing_ok=True)
            raise
    program = into / tool.name
    if source.member is None:
        archives.pop(url).rename(program)
    else:
        _extract(archives[url], fill(source.member), program)
    program.chmod(0o755)


def published_sum(text: str, name: str) -> str:
    """The SHA-256 of a file in what its project publishes: a bare sum, or lines of "sum  name"."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    for words in lines:
        if len(words) == 1 == len(lines) or words[-1].lstrip("*") == name:
            return words[0].lower()
    raise DownloadError(f"no checksum is published for {name}")


def _stream(client: httpx.Client, url: str, file: Path, expected: str) -> None:
    digest, size = hashlib.sha256(), 0
    with (
        Progress(f"downloading {url}") as progress,
        client.stream("GET", url) as response,
        file.open("wb") as out,
    ):
        _raise_for(response)
        total = int(response.headers.get("content-length", 0))
        for chunk in response.iter_bytes(1 << 20):
            digest.update(chunk)
            size += out.write(chunk)
            progress.update(f"{size >> 20} of {total >> 20} MiB" if total else f"{size >> 20} MiB")
        if digest.hexdigest() != expected:
            raise DownloadError(f"{url} is not the file its project published (SHA-256 differs)")


def _raise_for(response: httpx.Response) -> None:
    if response.is_error:
        raise DownloadError(f"{response.url} answered {response.status_code}")


def _extract(archive: Path, member: str, program: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            content = tar.extractfile(member)
            if content is None:
                raise DownloadError(f"{member} in {archive.name} is not a file")
            with content, program.open("wb") as out:
                while chunk := content.read(1 << 20):
                    out.write(chunk)
    except (KeyError, tarfile.TarError) as error:
        program.unlink(missing_ok=True)
        raise DownloadError(f"{archive.name} holds no {member}: {error}") from error

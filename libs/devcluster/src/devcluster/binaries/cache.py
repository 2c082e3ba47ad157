"""The folder of finished programs: keyed by version and platform, checked by hash, filled in one step.

A folder appears under its final name only when it is complete, with a manifest of SHA-256 sums.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from .catalog import Group
from .progress import say

MANIFEST = "manifest.json"
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def root() -> Path:
    """The cache folder of the whole project, outside every repository."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "k8s-health-checker"


def target() -> tuple[str, str]:
    """Operating system and architecture of this machine, as Go and release files name them."""
    machine = platform.machine().lower()
    return platform.system().lower(), _ARCHITECTURES.get(machine, machine)


def folder(group: Group) -> Path:
    """Where the group's programs are cached; other pins or build flags are another folder."""
    pins = hashlib.sha256(repr((sorted(group.variables.items()), group.tags)).encode())
    for name in ("go.mod", "go.sum"):
        pins.update((group.module / name).read_bytes())
    return root() / "bin" / f"{group.name}-{group.version}-{pins.hexdigest()[:12]}" / "-".join(target())


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(group: Group) -> dict[str, Path] | None:
    """The group's cached programs by name, or None where they are absent, incomplete or altered."""
    place = folder(group)
    try:
        sums: dict[str, str] = json.loads((place / MANIFEST).read_text())
        paths = {tool.name: place / tool.name for tool in group.tools}
        with ThreadPoolExecutor(4) as pool:  # hashing releases the interpreter's lock
            found = dict(zip(paths, pool.map(sha256, paths.values()), strict=True))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        say(f"{place} cannot be read ({error}); it is made again")
        return None
    if found != sums:
        changed = ", ".join(sorted(name for name in found if found[name] != sums.get(name)))
        say(f"{changed or MANIFEST} in {place} is not what was stored there; it is made again")
        return None
    return paths


def store(group: Group, staged: Path) -> dict[str, Path]:
    """Moves a folder that holds all programs of the group to its place; what was there before goes away."""
    sums = {tool.name: sha256(staged / tool.name) for tool in group.tools}
    (staged / MANIFEST).write_text(json.dumps(sums, indent=1))
    place = folder(group)
    shutil.rmtree(place, ignore_errors=True)
    staged.rename(place)
    return {name: place / name for name in sums}


@contextmanager
def staging(group: Group) -> Iterator[Path]:
    """An empty folder beside the group's place, removed unless it was stored."""
    place = folder(group)
    place.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in place.parent.glob(".making-*"):  # of a killed process: the caller holds the lock
        shutil.rmtree(abandoned, ignore_errors=True)
    staged = Path(tempfile.mkdtemp(prefix=".making-", dir=place.parent))
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


@contextmanager
def lock(group: Group) -> Iterator[None]:
    """Only one process makes a group; the kernel frees the lock of a process that dies."""
    path = root() / "bin" / f".{group.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is making {group.name}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

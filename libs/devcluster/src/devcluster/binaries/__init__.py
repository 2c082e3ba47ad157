"""Finds or makes programs: ones the user names, cached ones, published ones, built ones, in this order."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ..errors import DevClusterError
from . import cache
from .build import BuildError, build
from .catalog import GROUPS, Group, Sites, Tool
from .download import fetch
from .progress import say

__all__ = ["GROUPS", "BinariesError", "ensure"]


class BinariesError(DevClusterError):
    """A group of programs cannot be had; the text says what to do."""


def ensure(name: str) -> dict[str, Path]:
    """The programs of a group by name, made now where they are not there yet (minutes, once per version).

    Raises BinariesError.
    """
    group = GROUPS.get(name)
    if group is None:
        raise BinariesError(f"there is no group {name!r}; there are {', '.join(GROUPS)}")
    named = {tool.name: path for tool in group.tools if (path := _named(tool))}
    if len(named) == len(group.tools):
        return named
    return (cache.load(group) or _make(group)) | named


def _named(tool: Tool) -> Path | None:
    """What the tool's environment variable or PATH names, where its version fits."""
    chosen = os.environ.get(tool.variable)
    found = chosen or shutil.which(tool.name)
    if not found:
        return None
    try:
        asked = subprocess.run([found, *tool.version_command], capture_output=True, text=True, timeout=20, check=False)
        output = asked.stdout + asked.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        output = str(error)
    if tool.fits(output):
        return Path(found)
    if chosen:
        first = (output.strip().splitlines() or ["no answer"])[0]
        raise BinariesError(
            f"{tool.variable}={chosen}: {tool.version} is needed, it says {first!r}; unset the variable"
        )
    return None


def _make(group: Group) -> dict[str, Path]:
    try:
        with cache.lock(group):
            made = cache.load(group)  # by the process that held the lock
            if made:
                return made
            with cache.staging(group) as staged:
                got: set[str] = set()
                if os.environ.get("DEVCLUSTER_DOWNLOADS") != "off":
                    got = fetch(group.tools, staged, Sites.from_environment())
                missing = tuple(tool for tool in group.tools if tool.name not in got)
                if missing:
                    build(group, missing, staged)
                paths = cache.store(group, staged)
    except BuildError as error:
        raise BinariesError(f"{group.name} cannot be made: {error}") from error
    except OSError as error:
        raise BinariesError(f"{group.name} cannot be kept in {cache.root()}: {error}") from error
    say(f"{group.name} {group.version} is in {cache.folder(group)}")
    return paths

"""Runs a command line: one command of several, with one clear line for whatever goes wrong."""

import argparse
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from common.cli.failure import FAILED, INTERRUPTED, OK, CommandFailed

Commands = argparse._SubParsersAction


class Command(Protocol):
    """A module, or an object, that adds its parser; its default `run` takes the arguments and returns an exit code."""

    def add(self, commands: "Commands[argparse.ArgumentParser]") -> None: ...


class Program:
    """A program of several commands."""

    def __init__(self, name: str, description: str, epilog: str, commands: Iterable[Command]) -> None:
        self._name = name
        self._description = description
        self._epilog = epilog
        self._commands = tuple(commands)

    def parser(self) -> argparse.ArgumentParser:
        top = argparse.ArgumentParser(prog=self._name, description=self._description, epilog=self._epilog)
        commands: Any = top.add_subparsers(required=True, metavar="COMMAND")
        for command in self._commands:
            command.add(commands)
        return top

    def run(self, arguments: Sequence[str] | None = None) -> int:
        """The exit code."""
        args = self.parser().parse_args(arguments)
        try:
            code: int = args.run(args)
            sys.stdout.flush()
            return code
        except CommandFailed as error:
            print(f"{self._name}: {error}", file=sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:
            _write_no_more()  # the reader, such as `head`, has seen enough
            return OK
        except OSError as error:
            _write_no_more()
            print(f"{self._name}: {error}", file=sys.stderr)
            return FAILED
        except Exception:  # a defect must not look like what is not good, which is Python's own exit code
            traceback.print_exc()
            return FAILED


def _write_no_more() -> None:
    """Python would complain once more when it closes the stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

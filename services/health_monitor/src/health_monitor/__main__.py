"""The command line `health-monitor`.

Exit codes: 0 done; 1 the score is below the threshold, or the policy file has mistakes; 2 the command is wrong or
cannot be carried out, such as when the cluster cannot be read.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from health_monitor.cli import COMMANDS
from health_monitor.cli.failure import FAILED, OK, CommandFailed

INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="health-monitor",
        description="Watches a Kubernetes cluster, scores what it sees and tells what changed.",
        epilog="Exit codes: 0 done, 1 below the threshold, 2 wrong command or unreadable cluster.",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    args = parser().parse_args(arguments)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except CommandFailed as error:
        print(f"health-monitor: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _write_no_more()  # the reader, such as `head`, has seen enough
        return OK
    except OSError as error:
        _write_no_more()
        print(f"health-monitor: {error}", file=sys.stderr)
        return FAILED
    except Exception:  # a defect must not look like a score below the threshold, which is Python's own exit code
        traceback.print_exc()
        return FAILED


def _write_no_more() -> None:
    """Python would complain once more when it closes the stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())

"""The command line `health-monitor`.

Exit codes: 0 done; 1 the score is below the threshold, or the policy file has mistakes; 2 the command is wrong or
cannot be carried out, such as when the cluster cannot be read.
"""

import argparse
import sys
from collections.abc import Sequence

from common.cli.program import Program
from health_monitor.cli import COMMANDS

_PROGRAM = Program(
    "health-monitor",
    "Watches a Kubernetes cluster, scores what it sees and tells what changed.",
    "Exit codes: 0 done, 1 below the threshold, 2 wrong command or unreadable cluster.",
    COMMANDS,
)


def parser() -> argparse.ArgumentParser:
    return _PROGRAM.parser()


def main(arguments: Sequence[str] | None = None) -> int:
    return _PROGRAM.run(arguments)


if __name__ == "__main__":
    sys.exit(main())

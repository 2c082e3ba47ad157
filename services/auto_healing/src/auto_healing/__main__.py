"""The command line `auto-healing`.

Exit codes: 0 done; 1 the policy file has mistakes, or the ledger was edited; 2 the command is wrong or cannot be done.
"""

import sys
from collections.abc import Sequence

from auto_healing.cli import COMMANDS
from common.cli.program import Program

_PROGRAM = Program(
    "auto-healing",
    "Decides what ends a fault, does it, proves that it helped, and accounts for all of it.",
    "Exit codes: 0 done, 1 mistakes in the policy, or a ledger that was edited, 2 wrong command.",
    COMMANDS,
)


def main(arguments: Sequence[str] | None = None) -> int:
    return _PROGRAM.run(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""The command line `alert-service`.

Exit codes: 0 done; 1 mistakes were found, or something did not arrive; 2 the command is wrong or cannot be carried out.
"""

import sys
from collections.abc import Sequence

from alert_service.cli import COMMANDS
from common.cli.program import Program

_PROGRAM = Program(
    "alert-service",
    "Takes alerts and healing notices to people, and brings their answers back.",
    "Exit codes: 0 done, 1 mistakes or a failed rehearsal, 2 wrong command.",
    COMMANDS,
)


def main(arguments: Sequence[str] | None = None) -> int:
    return _PROGRAM.run(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""How a command says that it cannot be done."""

OK = 0
BELOW_THRESHOLD = 1
FAILED = 2


class CommandFailed(Exception):
    """One line for the user: what is wrong and what to do."""

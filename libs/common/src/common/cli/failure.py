"""How a command ends: its exit codes, and how it says that it cannot be done."""

OK = 0
NOT_GOOD = 1  # what was asked about is not as it should be: a score below the threshold, mistakes in a file
FAILED = 2
INTERRUPTED = 130


class CommandFailed(Exception):
    """One line for the user: what is wrong and what to do."""

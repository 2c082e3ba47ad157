"""Parts of what a node can allocate, in steps that keep a finding's words still while the figure trembles."""

STEP_PERCENT = 5


def percent_in_steps(part: float, whole: float) -> int:
    """`part` of `whole` in percent, rounded down to a multiple of 5: to be read as "at least"."""
    return int(part * 100 / whole) // STEP_PERCENT * STEP_PERCENT

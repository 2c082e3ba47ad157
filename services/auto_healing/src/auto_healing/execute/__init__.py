"""Carrying out runs: the only place that calls an action's apply or undo."""

from auto_healing.execute.before_step import BeforeStep, Recheck, StillHas
from auto_healing.execute.endings import Endings, Witness
from auto_healing.execute.executor import Executor
from auto_healing.execute.hands import Hands

__all__ = ["BeforeStep", "Endings", "Executor", "Hands", "Recheck", "StillHas", "Witness"]

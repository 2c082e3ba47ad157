"""Where templates run: without a way out, and within limits of time and size."""

import time
from collections.abc import Callable, Iterable, Sized
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, TypeVar

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

MOST_SECONDS = 0.5  # of computing: a machine that is busy with other things does not count
MOST_CHARACTERS = 100_000  # written by all of a template, or held in one value
# What else there is makes texts of any size, HTML, or secrets visible.
_KEPT_FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "last"),
    *("length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select"),
    *("selectattr", "sort", "title", "trim", "truncate", "unique", "upper"),
)
_METHODS = {
    str: frozenset({"endswith", "lower", "removeprefix", "removesuffix", "split", "startswith", "strip", "upper"}),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "grouper", "index", "list"}),
    datetime: frozenset({"day", "hour", "isoformat", "isoweekday", "minute", "month", "year"}),
    timedelta: frozenset({"days", "seconds", "total_seconds"}),
}


S = TypeVar("S", bound=Sized)


class TooMuch(Exception):
    """A template that goes beyond its limits."""


class Budget:
    """Of one template that runs."""

    def __init__(self) -> None:
        self._ends_at = time.thread_time() + MOST_SECONDS
        self._left = MOST_CHARACTERS

    def check(self) -> None:
        if time.thread_time() > self._ends_at:
            raise TooMuch(f"takes more than {MOST_SECONDS:g} s")

    def write(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise TooMuch(f"writes more than {MOST_CHARACTERS:,} characters")


_BUDGET: ContextVar[Budget] = ContextVar("budget")


class _Bounded(CodeGenerator):
    """Every block of code asks whether there is time left, and no text is joined without a look at its length."""

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        self.writeline("environment.tick()")
        super().blockvisit(nodes, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 (Jinja's name)
        self.write("environment.joined((")
        for each in node.nodes:
            self.visit(each, frame)
            self.write(", ")
        self.write("))")


class Sandbox(SandboxedEnvironment):
    """Text is written as it is: it becomes a channel's markup afterwards."""

    code_generator_class = _Bounded
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(
            autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_out, **options
        )
        self.filters = {name: self.filters[name] for name in _KEPT_FILTERS}
        self.filters |= {"join": self._join, "replace": _replace, "round": _round}
        self.globals = {name: self.globals[name] for name in ("range", "namespace", "dict")}

    def within_budget(self, work: Callable[[], str]) -> str:
        """Raises TooMuch, and what the template raises."""
        token = _BUDGET.set(Budget())
        try:
            return work()
        finally:
            _BUDGET.reset(token)

    def tick(self) -> None:
        _BUDGET.get().check()

    def joined(self, parts: Iterable[object]) -> str:
        """What `~` makes."""
        return _bounded("".join(str(_out(each)) for each in parts))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Of the plain types only what reads: `format` would run labels as format strings, `center` fill the memory."""
        allowed = next((names for kind, names in _METHODS.items() if isinstance(obj, kind)), None)
        return super().is_safe_attribute(obj, attr, value) if allowed is None else attr in allowed

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Numbers can be reckoned with and texts added; nothing can be multiplied or formatted into size."""
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "+" and not numbers:
            return _bounded(left + right)
        if operator == "**" or not numbers:
            raise SecurityError(f"{operator} is not for {type(left).__name__} and {type(right).__name__} here")
        if max(abs(left), abs(right)) > 1e15:
            raise TooMuch("reckons with numbers that are too large")
        return super().call_binop(context, operator, left, right)

    def _join(self, values: Iterable[object], separator: str = "", attribute: str | None = None) -> str:
        found = values if attribute is None else [self.getattr(each, attribute) for each in values]
        parts = [str(_out(part)) for each in found for part in (separator, each)]
        return _bounded("".join(parts[1:]))


def _out(value: object) -> object:
    """What `{{ }}` writes: texts and numbers; nothing for None."""
    if value is None or type(value) is Undefined:  # what an `if` without `else` gives
        return ""
    if isinstance(value, Undefined):
        return str(value)  # raises, and says which
    if not isinstance(value, str | int | float):
        raise SecurityError(f"a {type(value).__name__} cannot be written: use a filter such as join")
    text = str(value)
    _BUDGET.get().write(len(text))
    return text


def _replace(text: str, old: str, new: str) -> str:
    text = str(text)
    if len(text) + text.count(old) * len(new) > MOST_CHARACTERS:
        raise TooMuch(f"makes more than {MOST_CHARACTERS:,} characters")
    return text.replace(old, new)


def _round(value: float, precision: int = 0) -> float:
    return round(value, max(0, min(precision, 9))) if precision else round(value)


def _bounded(value: S) -> S:
    if len(value) > MOST_CHARACTERS:
        raise TooMuch(f"makes more than {MOST_CHARACTERS:,} characters")
    return value

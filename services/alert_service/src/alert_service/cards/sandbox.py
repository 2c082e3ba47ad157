"""Where templates run: without a way out, and within limits of time and size."""

import resource
import time
from collections.abc import Callable, Collection, Iterable
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, TypeVar

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

MOST_SECONDS = 0.5  # of computing: a machine that is busy with other things does not count
MOST_CHARACTERS = 100_000  # written by all of a template, or held in one value
MOST_MEMORY_MIB = 64  # that the process may grow by meanwhile
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


_CONTAINERS = (list, tuple, dict)
C = TypeVar("C", bound=Collection[Any])


class TooMuch(Exception):
    """A template that goes beyond its limits."""


class Budget:
    """Of one template that runs."""

    def __init__(self) -> None:
        self._ends_at = time.thread_time() + MOST_SECONDS
        self._left = MOST_CHARACTERS
        self._most_kib = _peak_kib() + MOST_MEMORY_MIB * 1024

    def check(self) -> None:
        if time.thread_time() > self._ends_at:
            raise TooMuch(f"takes more than {MOST_SECONDS:g} s")
        if _peak_kib() > self._most_kib:
            raise TooMuch(f"takes more than {MOST_MEMORY_MIB} MiB")

    def write(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise TooMuch(f"writes more than {MOST_CHARACTERS:,} characters")


def _peak_kib() -> int:
    """Of the whole process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


_BUDGET: ContextVar[Budget] = ContextVar("budget")


class _Bounded(CodeGenerator):
    """Every block of code asks whether there is time left, and nothing is put together without a look at its size."""

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        self.writeline("environment.tick()")
        super().blockvisit(nodes, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 (Jinja's name)
        self.write("environment.joined((")
        for each in node.nodes:
            self.visit(each, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        self._looked_at(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        self._looked_at(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        if node.ctx == "load":
            self._looked_at(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def _looked_at(self, visit: Callable[[Any, Frame], None], node: nodes.Node, frame: Frame) -> None:
        self.write("environment.bounded(")
        visit(node, frame)
        self.write(")")


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
        self.globals = {name: self.globals[name] for name in ("range", "namespace")}

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

    def bounded(self, made: C) -> C:
        """A list, tuple or dict that the template spells out. Raises TooMuch."""
        self.tick()
        return _bounded(made)

    def wrap_str_format(self, value: object) -> None:
        """Not even Jinja's careful `format`: it runs labels as format strings, and pads texts to any length."""

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


def _bounded(value: C) -> C:
    """With everything in it: to compare what holds itself doubled and doubled again would take for ever."""
    count = 0
    within: list[Collection[Any]] = [value] if isinstance(value, _CONTAINERS) else []
    while within:
        each = within.pop()
        values = each.values() if isinstance(each, dict) else each
        count += len(values)
        if count > MOST_CHARACTERS:
            raise TooMuch(f"makes more than {MOST_CHARACTERS:,} values")
        within += [one for one in values if isinstance(one, _CONTAINERS)]
    if len(value) > MOST_CHARACTERS:
        raise TooMuch(f"makes more than {MOST_CHARACTERS:,} characters")
    return value

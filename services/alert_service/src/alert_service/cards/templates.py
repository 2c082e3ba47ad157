"""The texts of cards: Jinja2 templates in a sandbox, shipped ones and the user's, by the same names.

A user's template begins with `{% extends "shipped/incident.j2" %}`, and says anew the blocks that it wants otherwise.
"""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, BytecodeCache, Environment, TemplateNotFound, TemplateSyntaxError
from jinja2.bccache import Bucket

from alert_service.cards import marks
from alert_service.cards.sandbox import Sandbox
from alert_service.cards.strays import strays
from alert_service.durations import shortly

NAMES = ("incident", "storm", "message")
SHIPPED = "shipped/"
_SUFFIX = ".j2"
_NEXT = "\x1e"  # between the parts; foreign text has none
_MOST_BYTES = 100_000  # of a template's file
_BARE = (("title", "about"), ("summary", "text"))


class TemplateFailed(Exception):
    """A template that cannot be used: which one, where and why, in one line."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a template says, in the order of its blocks. Plain text with marks."""

    title: str
    status: str
    body: str
    facts: str  # one to a line, as "label: value"
    lines: str
    footer: str


class Templates:
    """`folder` has the user's own. They are read again when they change.

    `on_failure` is told the name of a template that could not be used for a card, and why.
    """

    def __init__(
        self, folder: Path | None = None, *, on_failure: Callable[[str, str], None] = lambda name, why: None
    ) -> None:
        self._on_failure = on_failure
        self._own = _environment(_Loader(folder))
        self._shipped = _environment(_Loader(None))

    @property
    def filters(self) -> Set[str]:
        """Names of the filters that templates can use."""
        return self._own.filters.keys()

    def parts(self, name: str, shown: Mapping[str, Any]) -> tuple[Parts, str]:
        """By the user's template, or else the shipped one, with what was wrong with the user's; empty: nothing was.

        People are told whatever happens: when neither works they get the texts alone.
        """
        try:
            return self.check(name, shown), ""
        except TemplateFailed as error:
            wrong = str(error)
            self._on_failure(name, wrong)
        try:
            return _parts(self._shipped, name + _SUFFIX, shown), f"{wrong}; the shipped template was used instead"
        except TemplateFailed as error:
            return _bare(shown), str(error)

    def check(self, name: str, shown: Mapping[str, Any]) -> Parts:
        """By the user's template. Raises TemplateFailed."""
        return _parts(self._own, name + _SUFFIX, shown)

    def strays(self, name: str) -> Sequence[str]:
        """Blocks of the user's template that nothing shows. Only for a template that passes `check`."""
        return strays(self._own, name + _SUFFIX)


class TextTemplates(Templates):
    """With one template whose text is given: for previews."""

    def __init__(self, name: str, text: str, folder: Path | None = None) -> None:
        super().__init__(folder)
        self._own = _environment(_Loader(folder, {name + _SUFFIX: text}))


def shipped_text(name: str) -> str:
    """The source of a shipped template."""
    return _shipped(name + _SUFFIX)


class _Loader(BaseLoader):
    """`shipped/x` is always the shipped one; `x` the user's, if there is one."""

    def __init__(self, folder: Path | None, texts: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._texts = texts or {}

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        if template in self._texts:
            return self._texts[template], template, lambda: True
        file = self._file(template)
        state = _state(file)
        text = _shipped(template.removeprefix(SHIPPED)) if file is None or state is None else _read(file, template)
        return text, template, lambda: _state(file) == state

    def _file(self, template: str) -> Path | None:
        if self._folder is None or template.startswith(SHIPPED):
            return None
        if not re.fullmatch(r"[\w-]+(\.[\w-]+)*", template):
            raise TemplateNotFound(template)
        if not self._folder.is_dir():
            raise TemplateFailed(f"the folder of templates {self._folder} is not there")
        return self._folder / template


class _Compiled(BytecodeCache):
    """What was compiled once is not compiled again in this process, whoever asks; at most one text of each name."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (kept := self._kept.get(bucket.key)) is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


def _state(file: Path | None) -> tuple[int, int] | None:
    """Changes when the file does; None: there is none."""
    try:
        found = None if file is None else file.stat()
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_ino)


def _read(file: Path, name: str) -> str:
    try:
        raw = file.read_bytes()[: _MOST_BYTES + 1]
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateFailed(f"template {name}: cannot be read: {error}") from None
    if len(raw) > _MOST_BYTES:
        raise TemplateFailed(f"template {name}: is larger than {_MOST_BYTES:,} bytes")
    return text


def _shipped(name: str) -> str:
    file = files("alert_service").joinpath("templates", name)
    if "/" in name or not file.is_file():
        raise TemplateNotFound(name)
    return file.read_text(encoding="utf-8")


def _environment(loader: BaseLoader) -> Sandbox:
    environment = Sandbox(loader=loader, bytecode_cache=_COMPILED)
    environment.filters |= {
        "bold": marks.bold,
        "code": marks.code,
        "link": marks.link,
        "time": marks.instant,
        "duration": shortly,
        "ago": _ago,
    }
    return environment


def _ago(at: datetime, now: datetime) -> str:
    return f"{shortly(now - at)} ago"


def _parts(environment: Sandbox, name: str, shown: Mapping[str, Any]) -> Parts:
    try:
        text = environment.within_budget(lambda: environment.get_template(name).render(shown, next_part=_NEXT))
    except TemplateFailed:
        raise
    except TemplateSyntaxError as error:
        raise TemplateFailed(f"template {error.name or name}, line {error.lineno}: {error.message}") from None
    except TemplateNotFound as error:
        raise TemplateFailed(f"template {name}: there is no template {error.name}") from None
    except Exception as error:  # whatever a template does wrong, people are told all the same
        raise TemplateFailed(f"template {_where(error, name)}: {_why(error)}") from None
    parts = text.split(_NEXT)
    if len(parts) != len(Parts.__slots__):
        base = f'{{% extends "{SHIPPED}{name}" %}}'
        raise TemplateFailed(f"template {name}: has to begin with {base} and to say the rest in its blocks")
    return Parts(*(part.strip() for part in parts))


def _bare(shown: Mapping[str, Any]) -> Parts:
    title, text = (str(shown.get(first) or shown.get(second, "")) for first, second in _BARE)
    return Parts(title=title, status="", body=text, facts="", lines="", footer="")


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "calls itself without end"
    return " ".join(str(error).split())[:300] or type(error).__name__


def _where(error: Exception, name: str) -> str:
    """Jinja rewrites the traceback so that it names the templates."""
    found, step = name, error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if file.endswith(_SUFFIX):
            found = f"{file}, line {step.tb_lineno}"
        step = step.tb_next
    return found

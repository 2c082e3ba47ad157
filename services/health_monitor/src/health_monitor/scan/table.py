"""The report for a terminal."""

from collections.abc import Iterator
from io import StringIO

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from common.contracts import Severity
from health_monitor.scan.duration import short
from health_monitor.scan.report import Group as FindingGroup
from health_monitor.scan.report import Report, ScoredObject

_COLOURS = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_BAR_WIDTH = 24
_SHOWN_PLACES = 8
FILE_WIDTH = 140


def render(report: Report, *, top: int) -> str:
    """Plain text, for a file. `top` bounds the lines of findings; 0 shows all."""
    text = StringIO()
    show(report, top=top, console=Console(file=text, width=FILE_WIDTH, color_system=None, force_terminal=False))
    return text.getvalue()


def show(report: Report, *, top: int, console: Console) -> None:
    """Print it, with colours where the terminal has them."""
    for part in _parts(report, top):
        console.print(Padding(part, (0, 1)))
        console.print()


def _parts(report: Report, top: int) -> Iterator[RenderableType]:
    yield _headline(report)
    yield _score(report)
    places = [_places("Zones", report.zones), _places("Namespaces", report.namespaces)]
    shown = [table for table in places if table is not None]
    if shown:
        yield Columns(shown, padding=(0, 4))
    yield _findings(report, top)
    if report.not_seen:
        yield _not_seen(report)
    if report.fail_under is not None:
        yield _verdict(report)


def _headline(report: Report) -> Text:
    amounts = [f"{count:,} {name}" for name, count in report.objects.items() if count]
    facts = [report.server_version, *amounts, f"{report.seconds:.1f} s"]
    name = f"{report.cluster} / {report.namespace}" if report.namespace else report.cluster
    return Text.assemble((name, "bold"), ("   " + " · ".join(fact for fact in facts if fact), "dim"))


def _score(report: Report) -> RenderableType:
    score = report.score
    line = Text.assemble(
        (f"{score.value:5.1f} ", f"bold {_score_colour(score.value)}"),
        _bar(score.value),
        (f"  confidence {score.confidence:.0%}" if score.confidence < 1 else "", "dim"),
        "   ",
        *_counts(report),
    )
    deductions = Table.grid(padding=(0, 2))
    deductions.add_column(justify="right", style="red")
    deductions.add_column(style="dim")
    for deduction in sorted(score.deductions, key=lambda each: -each.points):
        deductions.add_row(f"-{deduction.points:.1f}", Text(deduction.reason))
    return Group(line, deductions) if score.deductions else line


def _counts(report: Report) -> Iterator[tuple[str, str]]:
    for severity, count in report.by_severity.items():
        yield (f"{count:,} {severity}   ", _COLOURS[severity] if count else "dim")


def _bar(score: float) -> Text:
    filled = round(score / 100 * _BAR_WIDTH)
    return Text.assemble(("█" * filled, _score_colour(score)), ("░" * (_BAR_WIDTH - filled), "dim"))


def _score_colour(score: float) -> str:
    if score >= 90:
        return "green"
    return "yellow" if score >= 70 else "red"


def _places(title: str, places: tuple[ScoredObject, ...]) -> Table | None:
    """The worst few; a place without a finding only says that it is there."""
    if not places:
        return None
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 2, 0, 0)
    )
    for place in places[:_SHOWN_PLACES]:
        found = f"{place.findings:,} finding{'s' if place.findings != 1 else ''}" if place.findings else ""
        score = Text(f"{place.score:5.1f}", style=_score_colour(place.score))
        table.add_row(score, Text(place.object.name or "(no zone)"), Text(found, style="dim"))
    if len(places) > _SHOWN_PLACES:
        table.add_row("", Text(f"and {len(places) - _SHOWN_PLACES:,} more", style="dim"))
    return table


def _findings(report: Report, top: int) -> RenderableType:
    groups = report.groups()
    if not groups:
        return Text("No findings.", style="green")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold dim", expand=True)
    table.add_column("Severity", no_wrap=True)
    table.add_column("Object", overflow="fold", ratio=3)
    table.add_column("Finding", ratio=5)
    table.add_column("Since", justify="right", no_wrap=True)
    shown = groups[:top] if top else groups
    for group in shown:
        table.add_row(*_line(group, report))
    if len(shown) == len(groups):
        return table
    more = f"{len(groups) - len(shown):,} more lines; --top 0 shows all, --severity warning the worse ones"
    return Group(table, Text(more, style="dim"))


def _line(group: FindingGroup, report: Report) -> tuple[RenderableType, ...]:
    colour = _COLOURS[group.severity]
    return (
        Text(group.severity.value, style=colour),
        _place(group),
        Text.assemble((group.title, ""), (f"  {group.code}\n", "dim"), (_printable(group.first.message), "dim")),
        Text(short(report.taken_at - group.since) if group.since < report.taken_at else "", style="dim"),
    )


def _place(group: FindingGroup) -> Text:
    """The object, or how many of them under which owner."""
    if len(group.members) == 1:
        return Text(str(group.first.object.key))
    return Text.assemble(str(group.owner.key), (f"\n{group.amount}", "dim"))


def _not_seen(report: Report) -> Text:
    lines = [f"  {source.kind}: {_printable(source.reason) or source.state}" for source in report.not_seen]
    return Text("Not seen, so confidence is lower:\n" + "\n".join(lines), style="yellow")


def _verdict(report: Report) -> Text:
    if report.failed:
        return Text(f"The score {report.score.value:.1f} is below {report.fail_under:g}.", style="bold red")
    return Text(f"The score {report.score.value:.1f} is not below {report.fail_under:g}.", style="green")


def _printable(message: str) -> str:
    """Without control characters: whoever writes a message in the cluster must not steer the reader's terminal."""
    return "".join(each if each.isprintable() else " " for each in message)

"""The report as one HTML file that needs nothing else: no script, no font, no request."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from common.contracts import Severity
from health_monitor.scan.duration import short
from health_monitor.scan.report import Report, worst_first


def render(report: Report) -> str:
    """Everything from the cluster is escaped: names and messages are written by whoever may create a pod."""
    page = Environment(
        loader=PackageLoader("health_monitor"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters["short"] = short
    page.filters["grade"] = grade
    template = page.get_template("report.html")
    return template.render(report=report, groups=report.groups(), severities=worst_first(Severity))


def grade(score: float) -> str:
    """The colour class of a score."""
    if score >= 90:
        return "good"
    return "fair" if score >= 70 else "poor"

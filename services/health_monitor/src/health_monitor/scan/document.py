"""The report as JSON. Fields are only ever added within a version."""

import msgspec

from health_monitor.scan.report import Report

VERSION = "v1"


def render(report: Report) -> str:
    """One indented JSON document; `findings` holds every finding, ungrouped."""
    document = {
        "version": VERSION,
        "failed": report.failed,
        "counts": {severity.value: count for severity, count in report.by_severity.items()},
        **{name: getattr(report, name) for name in Report.__dataclass_fields__},
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"

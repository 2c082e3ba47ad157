"""The report as JUnit XML, so that a CI system shows it like tests: a suite per check, a case per object."""

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from common.contracts import Severity
from health_monitor.scan.report import Report, Reported

# XML 1.0 has no way to write these, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """Warnings and worse are failures, infos pass and say so in their output; the threshold is a case of its own."""
    suites = [_score(report), *(_suite(code, found) for code, found in _by_code(report).items())]
    root = Element("testsuites", {"name": "health-monitor scan", "time": f"{report.seconds:.3f}", **_totals(suites)})
    for suite in suites:
        suite.set("timestamp", report.taken_at.strftime("%Y-%m-%dT%H:%M:%S"))
    root.extend(suites)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _by_code(report: Report) -> dict[str, list[Reported]]:
    found: dict[str, list[Reported]] = {}
    for each in report.findings:
        found.setdefault(each.finding.code, []).append(each)
    return dict(sorted(found.items()))


def _suite(code: str, found: list[Reported]) -> Element:
    suite = Element("testsuite", {"name": code})
    for each in found:
        _case(suite, each)
    return _counted(suite)


def _case(suite: Element, each: Reported) -> None:
    finding = each.finding
    name = f"{finding.object.key} {finding.part}".strip()
    case = SubElement(suite, "testcase", {"name": _clean(name), "classname": finding.code, "time": "0"})
    text = _clean(f"{each.title}: {finding.message}\nsince {finding.since.isoformat()}\n{each.runbook}")
    if finding.severity is Severity.INFO:
        SubElement(case, "system-out").text = text
        return
    failure = SubElement(case, "failure", {"message": _clean(finding.message), "type": finding.severity.value})
    failure.text = text


def _score(report: Report) -> Element:
    """Always there: some CI systems take a file without a case for a broken run."""
    suite = Element("testsuite", {"name": "score"})
    name = f"score of {report.namespace or report.cluster}"
    if report.fail_under is not None:
        name += f" is at least {report.fail_under:g}"
    case = SubElement(suite, "testcase", {"name": _clean(name), "classname": "score", "time": "0"})
    if report.failed:
        SubElement(case, "failure", {"message": f"the score is {report.score.value:.1f}", "type": "score"})
    return _counted(suite)


def _counted(suite: Element) -> Element:
    failures = sum(1 for _ in suite.iter("failure"))
    suite.attrib.update(tests=str(len(suite)), failures=str(failures), errors="0", skipped="0", time="0")
    return suite


def _totals(suites: list[Element]) -> dict[str, str]:
    return {name: str(sum(int(suite.get(name, "0")) for suite in suites)) for name in ("tests", "failures", "errors")}


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)

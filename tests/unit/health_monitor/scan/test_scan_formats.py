"""Every format of the scan report: complete, well-formed, and not to be steered by what is written in the cluster."""

import json
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from common.cluster.snapshot import Source, SourceState
from common.contracts import Deduction, Finding, ObjectRef, Score, Severity
from health_monitor.scan import document, junit, page, table
from health_monitor.scan.duration import short
from health_monitor.scan.report import Report, Reported, ScoredObject

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
CHECKOUT = ObjectRef(kind="Deployment", namespace="shop", name="checkout")
HOSTILE = "\x1b[2Jgone <script>alert(1)</script> ]]> \x00 [bold]x"


def reported(name: str = "checkout-1", **changes: object) -> Reported:
    pod = ObjectRef(kind="Pod", namespace="shop", name=name)
    finding = {
        "code": "pod-crash-loop",
        "object": pod,
        "severity": Severity.CRITICAL,
        "message": "container app restarts",
        "since": NOW - timedelta(minutes=12),
    }
    owner = changes.pop("owner", CHECKOUT)
    finding |= changes
    return Reported(
        finding=Finding(**finding),  # type: ignore[arg-type]
        title="Container keeps crashing",
        runbook="docs/runbooks/pod-crash-loop.md",
        owner=owner,  # type: ignore[arg-type]
        score=40,
    )


def a_report(**changes: object) -> Report:
    values: dict[str, object] = {
        "cluster": "dev",
        "server_version": "v1.36.3",
        "namespace": "",
        "taken_at": NOW,
        "seconds": 1.8,
        "score": Score(
            value=82.4, confidence=0.97, deductions=(Deduction(points=17.6, code="nodes", reason="1 of 20 is bad"),)
        ),
        "fail_under": None,
        "objects": {"nodes": 20, "pods": 300},
        "zones": (ScoredObject(object=ObjectRef(kind="Zone", name="a"), score=66, findings=1),),
        "namespaces": (),
        "findings": (),
        "not_seen": (),
    }
    return Report(**(values | changes))  # type: ignore[arg-type]


def test_forty_pods_of_one_deployment_are_one_line_under_their_owner() -> None:
    text = table.render(a_report(findings=tuple(reported(f"checkout-{i}") for i in range(40))), top=20)

    assert text.count("pod-crash-loop") == 1
    assert "Deployment shop/checkout" in text
    assert "40 × Pod" in text
    assert "40 critical" in text


def test_advice_is_put_together_by_namespace() -> None:
    advice = {"severity": Severity.INFO, "code": "deployment-single-replica"}
    owners = [ObjectRef(kind="Deployment", namespace="shop", name=name) for name in ("cart", "checkout")]
    findings = tuple(reported(owner=owner, object=owner, **advice) for owner in owners)
    text = table.render(a_report(findings=findings), top=20)

    assert text.count("deployment-single-replica") == 1
    assert "Namespace shop" in text
    assert "2 × Deployment" in text
    assert "Deployment shop/cart" in page.render(a_report(findings=findings))


def test_several_findings_of_one_object_are_counted_as_such() -> None:
    cluster = ObjectRef(kind="Cluster", name="")
    findings = tuple(reported(owner=cluster, object=cluster, part=kind) for kind in ("Job", "Lease"))

    assert "2 findings" in table.render(a_report(findings=findings), top=20)


def test_lines_beyond_top_are_counted_and_zero_shows_all() -> None:
    report = a_report(
        findings=tuple(
            reported(f"p-{i}", owner=ObjectRef(kind="Pod", namespace="shop", name=f"p-{i}")) for i in range(5)
        )
    )

    assert "3 more lines" in table.render(report, top=2)
    assert "more lines" not in table.render(report, top=0)


def test_the_worst_severity_comes_first_then_the_largest_group() -> None:
    report = a_report(
        findings=(
            reported("a", severity=Severity.INFO, code="pod-no-requests"),
            reported("b", severity=Severity.WARNING, code="pod-not-ready"),
            reported("c", severity=Severity.WARNING, code="pod-restarts"),
            reported("d", severity=Severity.WARNING, code="pod-restarts"),
            reported("e"),
        )
    )

    assert [group.code for group in report.groups()] == [
        "pod-crash-loop",
        "pod-restarts",
        "pod-not-ready",
        "pod-no-requests",
    ]


def test_a_group_began_when_its_first_member_began() -> None:
    report = a_report(findings=(reported("a"), reported("b", since=NOW - timedelta(hours=3))))

    assert report.groups()[0].since == NOW - timedelta(hours=3)


def test_what_was_not_seen_is_named_with_its_reason() -> None:
    report = a_report(not_seen=(Source(kind="Lease", state=SourceState.UNSEEN, reason="may not list leases"),))

    assert "Lease: may not list leases" in table.render(report, top=0)
    assert "may not list leases" in page.render(report)


@pytest.mark.parametrize(
    ("fail_under", "failed"),
    [
        pytest.param(None, False, id="no threshold never fails"),
        pytest.param(82.4, False, id="a score equal to the threshold passes"),
        pytest.param(82.5, True, id="a score below the threshold fails"),
    ],
)
def test_threshold(fail_under: float | None, failed: bool) -> None:
    report = a_report(fail_under=fail_under)

    assert report.failed is failed
    assert json.loads(document.render(report))["failed"] is failed
    assert len(ElementTree.fromstring(junit.render(report)).findall(".//failure")) == failed


def test_json_holds_every_finding_and_the_counts() -> None:
    read = json.loads(document.render(a_report(findings=(reported("a"), reported("b", severity=Severity.INFO)))))

    assert read["version"] == "v1"
    assert read["counts"] == {"critical": 1, "warning": 0, "info": 1}
    assert [each["finding"]["object"]["name"] for each in read["findings"]] == ["a", "b"]
    assert read["score"]["deductions"][0]["points"] == 17.6
    assert read["taken_at"] == "2026-11-29T12:00:00Z"


def test_junit_fails_warnings_and_passes_infos_with_their_text() -> None:
    report = a_report(findings=(reported("a"), reported("b", severity=Severity.INFO, code="pod-no-requests")))
    root = ElementTree.fromstring(junit.render(report))

    assert {suite.get("name"): suite.get("failures") for suite in root} == {
        "score": "0",
        "pod-crash-loop": "1",
        "pod-no-requests": "0",
    }
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    assert "container app restarts" in str(root.findtext(".//system-out"))


def test_junit_of_a_healthy_cluster_still_has_a_case() -> None:
    root = ElementTree.fromstring(junit.render(a_report()))

    assert [case.get("name") for case in root.iter("testcase")] == ["score of dev"]


def test_hostile_messages_reach_no_terminal_no_browser_and_break_no_xml() -> None:
    report = a_report(findings=(reported("a", message=HOSTILE),))

    assert "\x1b" not in table.render(report, top=0)
    assert "[bold]x" in table.render(report, top=0)
    assert "<script>" not in page.render(report)
    assert "&lt;script&gt;" in page.render(report)
    assert "alert(1)" in str(ElementTree.fromstring(junit.render(report)).findtext(".//failure"))
    assert json.loads(document.render(report))["findings"][0]["finding"]["message"] == HOSTILE


def test_the_page_loads_nothing_from_elsewhere() -> None:
    html = page.render(a_report(findings=(reported("a"),)))

    assert "default-src 'none'" in html
    assert "src=" not in html.replace("default-src", "").replace("style-src", "")
    assert "<link" not in html


@pytest.mark.parametrize(
    ("score", "grade"),
    [
        pytest.param(90, "good", id="ninety is good"),
        pytest.param(89.9, "fair", id="below ninety is fair"),
        pytest.param(69.9, "poor", id="below seventy is poor"),
    ],
)
def test_grade(score: float, grade: str) -> None:
    assert page.grade(score) == grade


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(-5, "0s", id="clocks that disagree count as none"),
        pytest.param(59, "59s", id="seconds"),
        pytest.param(61, "1m", id="minutes without seconds"),
        pytest.param(3 * 3600 + 20 * 60, "3h 20m", id="hours with minutes"),
        pytest.param(3 * 3600, "3h", id="whole hours"),
        pytest.param(9 * 86_400 + 7200, "9d", id="days without hours"),
    ],
)
def test_short(seconds: int, text: str) -> None:
    assert short(timedelta(seconds=seconds)) == text

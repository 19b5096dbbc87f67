"""JUnit XML: a suite for the consumer, a case for each check; in the form of :mod:`mockserver.reports.junit`.

A ``must`` that is not met is a failure. Whatever else is wrong fails no build: it is in the suite's output, for a
case cannot have one that every reader takes. What says nothing, and what was not tested, is skipped.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from mockserver.checks.model import CheckResult, Diagnosis, Finding
from mockserver.model.quantities import format_timestamp
from mockserver.reports.check_evidence import evidence_text, explained
from mockserver.reports.check_findings import diagnosis_text, worst_first
from mockserver.reports.xml_text import xml_text

#: The case that stands for the run itself, where it could not be made to its end.
_CAN_BE_MADE = "the checks can be made"


def check_junit(report: CheckResult) -> str:
    """Return a report as a JUnit XML document.

    Args:
        report: What the checks found out.
    """
    root = ET.Element("testsuites")
    suite = _suite(root, report)
    for name in ("tests", "failures", "errors", "time"):
        root.set(name, suite.get(name, ""))
    ET.indent(root)
    # ASCII with character references: some viewers guess the encoding.
    content = ET.tostring(root, encoding="us-ascii", xml_declaration=False).decode()
    return f"<?xml version='1.0' encoding='us-ascii'?>\n{content}\n"


def _suite(root: ET.Element, report: CheckResult) -> ET.Element:
    target = xml_text(report.target)
    suite = ET.SubElement(root, "testsuite", name=target, id="0", package=target)
    properties = ET.SubElement(suite, "properties")
    for name, value in (("seed", report.seed), ("deliveries", report.deliveries)):
        ET.SubElement(properties, "property", name=name, value=str(value))
    for kind, why in report.problems.items():
        _problem(suite, target, kind, why)
    for finding in report.findings:
        _case(suite, target, finding)
    _count(suite)
    suite.set("time", f"{report.seconds:.3f}")
    suite.set("timestamp", format_timestamp(report.began).removesuffix("Z"))
    suite.set("hostname", "localhost")
    ET.SubElement(suite, "system-out").text = xml_text(_output(report))
    ET.SubElement(suite, "system-err").text = xml_text(_diagnosis(report.diagnosis))
    return suite


def _count(suite: ET.Element) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{kind}"))))


def _problem(suite: ET.Element, target: str, kind: str, reason: str) -> None:
    case = ET.SubElement(suite, "testcase", name=_CAN_BE_MADE, classname=target, time="0.000")
    error = ET.SubElement(case, "error", message=xml_text(reason), type=kind)
    error.text = xml_text(f"{target}: {kind}: {reason}")


def _case(suite: ET.Element, target: str, finding: Finding) -> None:
    check = finding.check
    name = xml_text(f"{check.id} {check.title}")
    case = ET.SubElement(suite, "testcase", name=name, classname=target, time=f"{finding.seconds:.3f}")
    summary = finding.summary
    if finding.breaks:
        failure = ET.SubElement(case, "failure", message=xml_text(summary), type=check.severity)
        failure.text = xml_text(explained(finding))
    elif finding.verdict in ("inconclusive", "not tested"):
        ET.SubElement(case, "skipped", message=xml_text(f"{finding.verdict}: {summary}"))


def _output(report: CheckResult) -> str:
    """The summary, and whatever is wrong without being a failure of the build."""
    parts = [
        f"{each.verdict} {each.check.id} {each.check.title} ({each.check.severity}): {explained(each)}"
        for each in worst_first(report)
        if not each.breaks
    ]
    return "\n\n".join([report.summary, *parts])


def _diagnosis(diagnosis: Diagnosis | None) -> str:
    if diagnosis is None:
        return ""
    text = diagnosis_text(diagnosis)
    return "\n\n".join([text, *(evidence_text(each) for each in diagnosis.evidence[:1])])

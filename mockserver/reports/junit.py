"""JUnit XML: a suite for each script with a case for each step; or a suite for a consumer with a case for each check.

There is no standard for it. What is written here is what both the schema of the Ant task and that of Jenkins' xUnit
plugin allow below the root; so a case has no attributes ``file`` and ``line``. Its name, its class name and its failure
say where it is in the script, as ``script:line``.

Of a check, a ``must`` that is not met is a failure. Anything else that is wrong fails no build: it is in the suite's
output, for a case cannot have one that every reader takes. What is inconclusive or not tested is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from mockserver.checks.model import CheckResult, Diagnosis, Finding
from mockserver.model.quantities import format_timestamp
from mockserver.model.records import Delivery
from mockserver.replay.report import Report, StepReport
from mockserver.reports.check_text import diagnosis_text, worst_first
from mockserver.reports.evidence import evidence_text, exchange_text, explained, unmet_by_source

#: What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Return a text with U+FFFD for each character that XML cannot hold: control characters, half surrogate pairs."""
    return _NOT_XML.sub("\ufffd", text)


def junit_xml(reports: Sequence[Report]) -> str:
    """Return reports as a JUnit XML document."""
    root = ET.Element("testsuites")
    suites = [_suite(root, number, report) for number, report in enumerate(reports)]
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", f"{sum(report.seconds for report in reports):.3f}")
    return _document(root)


def _document(root: ET.Element) -> str:
    ET.indent(root)
    # ASCII with character references: some viewers guess the encoding.
    content = ET.tostring(root, encoding="us-ascii", xml_declaration=False).decode()
    return f"<?xml version='1.0' encoding='us-ascii'?>\n{content}\n"


def _suite(root: ET.Element, number: int, report: Report) -> ET.Element:
    name = xml_text(report.script.name)
    suite = ET.SubElement(root, "testsuite", name=name, id=str(number), package=xml_text(report.script.source))
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="seed", value=str(report.script.seed))
    unmet = unmet_by_source(report)
    cases = [_case(suite, report, step, unmet) for step in report.steps]
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.set("time", f"{report.seconds:.3f}")
    suite.set("timestamp", format_timestamp(report.began).removesuffix("Z"))
    suite.set("hostname", "localhost")
    ET.SubElement(suite, "system-out").text = xml_text(report.summary)
    ET.SubElement(suite, "system-err").text = xml_text("\n".join(report.explanations()))
    return suite


def _case(suite: ET.Element, report: Report, step: StepReport, unmet: Mapping[str, Sequence[Delivery]]) -> ET.Element:
    case = ET.SubElement(
        suite,
        "testcase",
        name=xml_text(f"step {step.number}: {step.what} (line {step.line})"),
        classname=xml_text(report.script.source),
        time=f"{step.seconds:.3f}",
    )
    where = f"{report.script.source}:{step.line}"
    problems = [xml_text(problem) for problem in report.problems(step)]
    if problems:
        failure = ET.SubElement(case, "failure", message=problems[0], type="expectation")
        exchanges = (xml_text(exchange_text(delivery)) for delivery in unmet.get(where, ()))
        failure.text = "\n\n".join(["\n".join([f"{xml_text(where)}:", *problems]), *exchanges])
    elif step.not_sent:
        reasons = "; ".join(f"{events} not sent: {reason}" for reason, events in step.not_sent.items())
        ET.SubElement(case, "skipped", message=xml_text(reasons))
    return case


# ---------------------------------------------------------------- checks

#: The case for the run itself, where it could not be completed.
_CAN_BE_MADE = "the checks can be made"


def check_junit(report: CheckResult) -> str:
    """Return a report as a JUnit XML document."""
    root = ET.Element("testsuites")
    suite = _check_suite(root, report)
    for name in ("tests", "failures", "errors", "time"):
        root.set(name, suite.get(name, ""))
    return _document(root)


def _check_suite(root: ET.Element, report: CheckResult) -> ET.Element:
    target = xml_text(report.target)
    suite = ET.SubElement(root, "testsuite", name=target, id="0", package=target)
    properties = ET.SubElement(suite, "properties")
    for name, value in (("seed", report.seed), ("deliveries", report.deliveries)):
        ET.SubElement(properties, "property", name=name, value=str(value))
    for kind, why in report.problems.items():
        _problem(suite, target, kind, why)
    for finding in report.findings:
        _check_case(suite, target, finding)
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


def _check_case(suite: ET.Element, target: str, finding: Finding) -> None:
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
    """The summary, and everything that is wrong but does not fail the build."""
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

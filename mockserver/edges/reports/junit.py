"""JUnit XML: a suite for each script, a case for each step. The form is that of the Ant task, which CI systems read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from mockserver.core.durations import format_timestamp
from mockserver.core.report import LOST, Report, StepReport
from mockserver.edges.redaction import Redactor

#: What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(reports: Sequence[Report], redactor: Redactor) -> str:
    """Return reports as a JUnit XML document.

    Args:
        reports: One for each script.
        redactor: Hides secrets.
    """
    root = ET.Element("testsuites")
    suites = [_suite(root, report, redactor) for report in reports]
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", f"{sum(report.seconds for report in reports):.3f}")
    ET.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, encoding='unicode')}\n"


def _suite(root: ET.Element, report: Report, redactor: Redactor) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=_clean(report.script.name))
    cases = [_case(suite, report, step, redactor) for step in report.steps]
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.set("time", f"{report.seconds:.3f}")
    suite.set("timestamp", format_timestamp(report.began).removesuffix("Z"))
    suite.set("hostname", "localhost")
    output = ET.SubElement(suite, "system-out")
    output.text = _clean(redactor.text("\n".join([report.summary, *report.explanations()])))
    return suite


def _case(suite: ET.Element, report: Report, step: StepReport, redactor: Redactor) -> ET.Element:
    case = ET.SubElement(
        suite,
        "testcase",
        name=f"step {step.number}: {step.what} (line {step.line})",
        classname=_clean(report.script.source),
        time=f"{step.seconds:.3f}",
        file=_clean(report.script.source),
        line=str(step.line),
    )
    problems = report.problems(step)
    if problems:
        text = _clean(redactor.text("\n".join(problems)))
        failure = ET.SubElement(case, "failure", message=text.split("\n", 1)[0], type="expectation")
        failure.text = text
    elif LOST in step.not_sent:
        ET.SubElement(case, "skipped", message=f"{step.not_sent[LOST]} {LOST}")
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)

"""JUnit XML: a suite for each script, a case for each step.

There is no standard of it. What is written here is what both the schema of the Ant task and that of Jenkins' xUnit
plugin allow below the root; so a case has no attributes ``file`` and ``line``. Where it is in the script is said in its
name, its class name and its failure, as ``script:line``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from mockserver.model.quantities import format_timestamp
from mockserver.model.records import Delivery
from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report, StepReport
from mockserver.reports.exchanges import exchange_text, unmet_by_source
from mockserver.reports.xml_text import xml_text


def junit_xml(reports: Sequence[Report], redactor: Redactor) -> str:
    """Return reports as a JUnit XML document.

    Args:
        reports: One for each script.
        redactor: Hides secrets.
    """
    root = ET.Element("testsuites")
    suites = [_suite(root, number, report, redactor) for number, report in enumerate(reports)]
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", f"{sum(report.seconds for report in reports):.3f}")
    ET.indent(root)
    # ASCII with character references: some viewers guess the encoding.
    content = ET.tostring(root, encoding="us-ascii", xml_declaration=False).decode()
    return f"<?xml version='1.0' encoding='us-ascii'?>\n{content}\n"


def _suite(root: ET.Element, number: int, report: Report, redactor: Redactor) -> ET.Element:
    name = xml_text(redactor.text(report.script.name))
    suite = ET.SubElement(root, "testsuite", name=name, id=str(number), package=xml_text(report.script.source))
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="seed", value=str(report.script.seed))
    unmet = unmet_by_source(report)
    cases = [_case(suite, report, step, unmet, redactor) for step in report.steps]
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.set("time", f"{report.seconds:.3f}")
    suite.set("timestamp", format_timestamp(report.began).removesuffix("Z"))
    suite.set("hostname", "localhost")
    ET.SubElement(suite, "system-out").text = xml_text(redactor.text(report.summary))
    ET.SubElement(suite, "system-err").text = xml_text(redactor.text("\n".join(report.explanations())))
    return suite


def _case(
    suite: ET.Element,
    report: Report,
    step: StepReport,
    unmet: Mapping[str, Sequence[Delivery]],
    redactor: Redactor,
) -> ET.Element:
    case = ET.SubElement(
        suite,
        "testcase",
        name=xml_text(redactor.text(f"step {step.number}: {step.what} (line {step.line})")),
        classname=xml_text(report.script.source),
        time=f"{step.seconds:.3f}",
    )
    where = f"{report.script.source}:{step.line}"
    problems = [xml_text(redactor.text(problem)) for problem in report.problems(step)]
    if problems:
        failure = ET.SubElement(case, "failure", message=problems[0], type="expectation")
        exchanges = (xml_text(exchange_text(redactor.delivery(delivery))) for delivery in unmet.get(where, ()))
        failure.text = "\n\n".join(["\n".join([f"{xml_text(where)}:", *problems]), *exchanges])
    elif step.not_sent:
        reasons = "; ".join(f"{events} not sent: {reason}" for reason, events in step.not_sent.items())
        ET.SubElement(case, "skipped", message=xml_text(redactor.text(reasons)))
    return case

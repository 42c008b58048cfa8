"""Reports in the two forms that continuous integration reads: JUnit XML and GitHub workflow commands."""

from __future__ import annotations

from xml.etree import ElementTree

from surveykit.verify.report import Report
from surveykit.verify.verdicts import Verdict


def junit(report: Report) -> str:
    """One test case per printed figure and per finding; findings are failures."""
    cases = len(report.verdicts) + len(report.findings)
    suite = ElementTree.Element(
        "testsuite", name="surveykit verify", tests=str(cases), failures=str(len(report.findings))
    )
    for verdict in report.verdicts:
        case = ElementTree.SubElement(
            suite, "testcase", classname=verdict.found.configuration or verdict.claim.row, name=verdict.name
        )
        ElementTree.SubElement(case, "system-out").text = sentence(verdict)
    for finding in report.findings:
        case = ElementTree.SubElement(suite, "testcase", classname=finding.check, name=finding.where)
        ElementTree.SubElement(case, "failure", message=finding.message, type=finding.check)
    ElementTree.SubElement(suite, "system-out").text = "\n".join(report.sentences())
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def github(report: Report) -> str:
    """Errors for findings, notices for explained differences; GitHub shows them beside the run."""
    lines = [f"::error title={_title(f.check)}::{_message(f'{f.where}: {f.message}')}" for f in report.findings]
    for verdict in report.verdicts:
        if verdict.outcome in ("fits_another_setup", "unresolved"):
            lines.append(f"::notice title={_title(verdict.name)}::{_message(sentence(verdict))}")
    return "\n".join([*lines, *report.sentences()]) + "\n"


def sentence(verdict: Verdict) -> str:
    """A verdict in words."""
    said = f"printed {verdict.claim.printed}: {verdict.word.replace('_', ' ')}. {verdict.found.reason}"
    return f"{said} ({verdict.cause}) {verdict.explanation.text}" if verdict.explanation else said


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _title(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")

#!/usr/bin/env python3
"""Reads what check prints by models that others have written.

Usage: findings.py OCSF-FILE JUNIT-FILE … Prints what is wrong, and ends with 1 if
anything is. Pairs of files are read one after the other.
"""

import json
import sys

from junitparser import Error, Failure, JUnitXml, Skipped
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding


def wrong_in_ocsf(file):
    with open(file, encoding="utf-8") as text:
        findings = json.load(text)
    if not findings:
        yield "no findings"
    for n, finding in enumerate(findings):
        try:
            ComplianceFinding.model_validate(finding)
        except ValueError as error:
            yield f"finding {n}: {error}"


def wrong_in_junit(file):
    """Counts again what the suites say of themselves."""
    suites = list(JUnitXml.fromfile(file))
    if not suites:
        yield "no suites"
    for suite in suites:
        cases = list(suite)
        counted = [len(cases)] + [
            sum(any(isinstance(r, kind) for r in case.result) for case in cases) for kind in (Failure, Error, Skipped)
        ]
        said = [suite.tests, suite.failures, suite.errors, suite.skipped]
        if counted != said:
            yield f"suite {suite.name}: {counted} tests, failures, errors and skipped, but it says {said}"


def main():
    wrong = []
    for ocsf, junit in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        wrong += [f"{ocsf}: {problem}" for problem in wrong_in_ocsf(ocsf)]
        wrong += [f"{junit}: {problem}" for problem in wrong_in_junit(junit)]
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

"""Print a Markdown table of the tests in a JUnit report; scripts/long_tests calls this."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree


def result(case: ElementTree.Element) -> str:
    """Return the outcome of a test."""
    for outcome in ("failure", "error", "skipped"):
        if case.find(outcome) is not None:
            return outcome
    return "passed"


def main(report: str) -> None:
    """Print the table, with the commit it belongs to."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    print("# Long tests\n")
    print(f"Written by `scripts/long_tests` at commit {commit}.\n")
    print("| test | result | seconds |")
    print("|---|---|---|")
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    if not cases:
        print("| no test takes over two minutes | | |")
    for case in sorted(cases, key=lambda case: -float(case.get("time", "0"))):
        name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        print(f"| `{name}` | {result(case)} | {float(case.get('time', '0')):.0f} |")


if __name__ == "__main__":
    main(sys.argv[1])

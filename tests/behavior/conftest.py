"""Reports of expected failures show the message of the failed assertion."""

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """Add the message of the failed assertion to the reason of an expected failure."""
    report = yield
    if hasattr(report, "wasxfail") and call.excinfo is not None:
        message = str(call.excinfo.value).splitlines() or [""]
        report.wasxfail = f"{report.wasxfail} [{message[0]}]"
    return report

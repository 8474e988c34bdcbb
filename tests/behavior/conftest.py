"""What the tests of behavior share: an expected failure prints its figure."""

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """Add what the failed assertion said to the reason of an expected failure."""
    report = yield
    if hasattr(report, "wasxfail") and call.excinfo is not None:
        said = str(call.excinfo.value).splitlines() or [""]
        report.wasxfail = f"{report.wasxfail} [{said[0]}]"
    return report

"""What each file of tests costs: printed after every run, so that a suite that grows slow says where."""

from collections import defaultdict
from pathlib import PurePath

import pytest

SHOWN_SECONDS = 1.0
"""Files that cost less are summed up in one line."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Sums up the durations of set-up, call and teardown by file, the most expensive first."""
    costs: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                costs[report.nodeid.partition("::")[0]] += report.duration
    if not costs or terminalreporter.config.getoption("collectonly"):
        return
    terminalreporter.section("seconds by file")
    ordered = sorted(costs.items(), key=lambda cost: -cost[1])
    for path, seconds in ordered:
        if seconds >= SHOWN_SECONDS:
            terminalreporter.write_line(f"{seconds:8.1f}  {PurePath(path).as_posix()}")
    rest = [seconds for _, seconds in ordered if seconds < SHOWN_SECONDS]
    terminalreporter.write_line(f"{sum(rest):8.1f}  {len(rest)} other files")
    terminalreporter.write_line(f"{sum(costs.values()):8.1f}  in all")

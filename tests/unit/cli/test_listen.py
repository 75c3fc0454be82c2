"""A process accepts as many connections as it may have open files, and always some."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
from ovasabi.cli.listen import connections_of
from ovasabi.settings import Settings
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(connections_of(Settings(max_connections=2_000)), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "files"),
    [(300, 300, 150, 300), (256, 1_000, 500, 1_000), (256, 20_000, 2_000, 2_512), (20_000, 20_000, 2_000, 20_000)],
)
def test_connections_fit_the_open_files(soft: int, hard: int, connections: int, files: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(soft), str(hard)], capture_output=True, text=True, check=True, timeout=60
    )
    assert [int(number) for number in done.stdout.split()] == [connections, files]

"""Behind PgBouncer, a session is what it has to be, or nothing is served: rows of one campaign are never another's."""

import pytest

from ovasabi.database.session import SETTINGS
from tests.command_line import run_async
from tests.e2e.conftest import free_port
from tests.faults.pgbouncer import BOUNCER, bounced

pytestmark = [
    pytest.mark.versions("18"),
    pytest.mark.skipif(BOUNCER is None, reason="PgBouncer is not installed; .ci/run installs it"),
]
OTHERS = (
    *("plan_cache_mode", "jit", "max_parallel_workers_per_gather", "statement_timeout", "lock_timeout"),
    *("idle_in_transaction_session_timeout", "default_transaction_read_only", "enable_seqscan"),
    *("enable_bitmapscan", "enable_sort", "application_name"),
)
IGNORED = "the role ", "or its settings were ignored", "A connection pooler must pass on startup parameters"
UNKNOWN = ("The database refuses the connection: unsupported startup parameter",)


@pytest.mark.parametrize("mode", ["session", "transaction"])
@pytest.mark.parametrize(
    ("ignored", "words"),
    [
        (", ".join([*SETTINGS, *OTHERS]), IGNORED),
        (", ".join({*SETTINGS, *OTHERS} - {"role"}), UNKNOWN),
        ("extra_float_digits", UNKNOWN),
    ],
    ids=["all ignored", "all but the role", "none"],
)
async def test_nothing_is_served_in_sessions_that_are_not_what_they_have_to_be(
    database_url: str, tmp_path: str, mode: str, ignored: str, words: tuple[str, ...]
) -> None:
    async with bounced(database_url, mode=mode, ignored=ignored) as url:
        env = {"OVASABI_HOME": str(tmp_path), "OVASABI_DATABASE_URL": url, "OVASABI_DATABASE_WAIT_SECONDS": "1"}
        env |= {"OVASABI_PORT": str(free_port()), "OVASABI_GRPC_PORT": "0", "PATH": ""}
        done = await run_async("serve", env=env)
    assert done.returncode == 1
    assert all(part in done.stderr for part in words), done.stderr
    assert "Traceback" not in done.stderr

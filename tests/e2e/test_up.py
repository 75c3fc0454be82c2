"""The program as a new user meets it: started, tried, stopped, started again, and asked wrong things."""

import json
import signal
import stat
import subprocess

from tests.e2e.conftest import Program


def test_a_first_start_works_as_it_says_and_a_second_one_keeps_the_data(program: Program) -> None:
    first = program.up()
    assert "ovk_" not in first, "what it prints goes to a log"
    assert f"The operator key is new, and stored in {program.home / 'operator.key'}." in first
    assert stat.S_IMODE((program.home / "operator.key").stat().st_mode) == 0o600
    assert len(program.curls()) == 3
    for line in program.curls():
        ran = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30)
        answer = json.loads(ran.stdout)
        assert "code" not in answer, answer
    with program.api() as client:
        python = client.campaign("python")
        assert python.search("lambda").hits[0].name == "lambda"
        made = python.contents.create(title="Kept")
    status = json.loads(program.run("status", "--json").stdout)
    assert (status["running"], status["address"], status["campaigns"]) == (True, program.address, 1)
    assert status["migration_head"] == status["migration_current"]
    assert status["leaves"] > 0
    assert program.run("psql", "-Atc", "SELECT 1 + 1").stdout.strip() == "2"
    assert program.stop() == 0
    assert program.output.rstrip().endswith("stopped")
    assert program.run("status").returncode == 3

    key = program.key
    second = program.up()
    assert "ovk_" not in second
    assert program.key == key
    with program.api() as client:
        assert client.campaign("python").contents.get(made.id) == made
    assert program.stop(signal.SIGTERM) == 0
    assert "Traceback" not in first + second + program.output


def test_stopping_tells_those_who_watch_where_to_resume(program: Program) -> None:
    program.up()
    with program.client() as client, client.stream("GET", "/v1/campaigns/python/events:watch?after=now") as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": watching"
        assert program.stop() == 0
        problem = json.loads(next(line for line in lines if line.startswith("data: ")).removeprefix("data: "))
    assert (problem["code"], problem["status"]) == ("watch_ended", 503)


def test_what_cannot_work_is_refused_in_a_sentence(program: Program) -> None:
    program.environment["OVASABI_DATABASE_WAIT_SECONDS"] = "0"
    for name, value, word in (
        ("OVASABI_PROT", "1", "OVASABI_PORT"),
        ("OVASABI_PORT", "many", "OVASABI_PORT"),
        ("OVASABI_DATABASE_URL", "mysql://u:sesame@h/d", "OVASABI_DATABASE_URL"),
        ("OVASABI_DATABASE_URL", "postgresql://u:sesame@127.0.0.1:1/d", "database"),
    ):
        program.environment[name] = value
        ran = program.run("up")
        del program.environment[name]
        program.environment["OVASABI_PORT"] = str(program.port)
        assert ran.returncode in (1, 2), (name, ran)
        assert ran.stderr.startswith("error: "), ran.stderr
        assert word in ran.stderr
        assert "sesame" not in ran.stderr
        assert "Traceback" not in ran.stderr
    assert program.run("fly").returncode == 2
    assert "error" in program.run("serve").stderr
    assert "error" in program.run("psql").stderr
    del program.environment["OVASABI_DATABASE_WAIT_SECONDS"]

"""The command line's face: help that loads nothing, and errors that are sentences with the right exit code."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest

from ovasabi.cli.call.command import call
from ovasabi.cli.call.options import options_of, own_options
from ovasabi.kernel.declare.methods import MethodKind
from ovasabi.kernel.service import declared_methods, services
from tests import command_line

HEAVY = {
    "litestar",
    "sqlalchemy",
    "pydantic",
    "pydantic_settings",
    "asyncpg",
    "uvicorn",
    "alembic",
    "rich",
    "msgspec",
    "google",
}
LOADED_BY_HELP = """
import json, sys
from ovasabi.cli import main
try:
    main()
finally:
    print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)
"""


def ovasabi(*arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")} | settings
    return command_line.run(*arguments, env=environment, cwd=cwd)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], []])
def test_help_imports_none_of_the_heavy_parts(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOADED_BY_HELP, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    loaded = set(json.loads(answer.stderr.splitlines()[-1]))
    assert "click" in loaded
    assert not loaded & HEAVY


def test_help_names_every_command(tmp_path: Path) -> None:
    answer = ovasabi("--help", cwd=tmp_path)
    assert answer.returncode == 0
    for name in (
        "up",
        "serve",
        "migrate",
        "call",
        "import",
        "keys",
        "backup",
        "restore",
        "status",
        "psql",
        "new",
        "api",
    ):
        assert f"\n  {name} " in answer.stdout


def test_a_wrong_setting_is_a_sentence_a_hint_and_exit_code_2(tmp_path: Path) -> None:
    answer = ovasabi("status", cwd=tmp_path, OVASABI_PROT="1")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: OVASABI_PROT, found in the environment, is not a setting.\nhint: Did you")
    assert "Traceback" not in answer.stderr


def test_the_help_of_a_call_tells_the_services_their_methods_and_the_options_of_each(tmp_path: Path) -> None:
    for arguments, words in (
        ((), ("contents", "Search across all types.", "--key-file FILE", "--address URL")),
        (("contents",), ("  publish ", "  Publishes a draft immediately.", "  allowed_moves ")),
        (
            ("contents", "create"),
            ("--campaign SLUG|NUMBER", "--title TEXT", "[required]", "[article|micro|video|story]"),
        ),
        (("contents", "list"), ("--include-total / --no-include-total", "--page-size INTEGER", "[default: 50]")),
        (("contents", "update"), ("[OPTIONS] ID|UUID", "--expected-version INTEGER", "--json OBJECT|-")),
        (("campaigns", "get"), ("[OPTIONS] CAMPAIGN", "--as-of TIMESTAMP")),
        (("search", "search"), ("[OPTIONS] Q", "--types TEXT")),
    ):
        answer = ovasabi("call", *arguments, "--help", cwd=tmp_path)
        assert answer.returncode == 0
        for word in words:
            assert word in answer.stdout, answer.stdout


def test_a_password_is_no_option_since_others_may_see_commands(tmp_path: Path) -> None:
    for method in ("create", "verify_password", "change_password"):
        help_text = ovasabi("call", "users", method, "--help", cwd=tmp_path).stdout
        assert "password TEXT" not in help_text
        assert "--json" in help_text


def test_every_method_can_be_called_with_all_that_its_request_has(tmp_path: Path) -> None:
    for service in services:
        group = call.get_command(click.Context(call), service.subject.label)
        assert isinstance(group, click.Group)
        for method in service.methods():
            given = {parameter.name for parameter in group.commands[method.name].params}
            fields = set() if method.request is None else set(method.request.__struct_fields__)
            assert {name for name in fields if "password" not in name} <= given, method.id
            assert ("_json" in given) == (method.writes and method.request is not None)


def test_each_option_means_one_field_and_no_negation_of_another() -> None:
    """A field may be named like the negation of another one, or like an option of the command itself."""

    class Request(msgspec.Struct):
        alerts: bool = False
        no_alerts: bool = False
        campaign: str = ""
        field_campaign: str = ""
        field_no_alerts: bool = False

    method = next(of for of in declared_methods() if of.operation is MethodKind.UPDATE)
    options = options_of(msgspec.structs.replace(method, request=Request))
    flags = [flag for option in options for flag in (*option.opts, *option.secondary_opts)]
    assert len(flags) == len(set(flags)) == 8
    own = {flag for option in own_options(method) for flag in option.opts}
    assert not own & set(flags)


def test_an_unknown_command_is_exit_code_2(tmp_path: Path) -> None:
    answer = ovasabi("upp", cwd=tmp_path)
    assert answer.returncode == 2
    assert "No such command 'upp'" in answer.stderr


def test_serve_without_a_database_says_what_to_set(tmp_path: Path) -> None:
    answer = ovasabi("serve", cwd=tmp_path)
    assert answer.returncode == 2
    assert "OVASABI_DATABASE_URL is not set" in answer.stderr


def test_psql_without_a_database_says_how_to_start_one(tmp_path: Path) -> None:
    answer = ovasabi("psql", cwd=tmp_path, OVASABI_HOME=str(tmp_path))
    assert answer.returncode == 1
    assert "ovasabi up" in answer.stderr


def test_status_of_what_does_not_run_is_exit_code_3(tmp_path: Path) -> None:
    answer = ovasabi("status", "--json", cwd=tmp_path, OVASABI_HOME=str(tmp_path))
    assert answer.returncode == 3
    report = json.loads(answer.stdout)
    assert report["running"] is False
    assert report["versions"]["python"] == sys.version.split()[0]


def test_a_port_in_use_stops_up_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = ovasabi("up", cwd=tmp_path, OVASABI_HOME=str(tmp_path / "home"), OVASABI_PORT=port)
    assert answer.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in answer.stderr
    assert not (tmp_path / "home" / "postgres").exists()

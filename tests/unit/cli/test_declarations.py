"""A declaration that is not valid stops every command that needs the services, in one sentence and with exit code 2."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from ovasabi.kernel.declare.entity import declared
from tests import command_line

ENTITY = '''"""The data of gadgets."""

from typing import Annotated

from ovasabi.kernel.declare.entity import Entity, entity
from ovasabi.kernel.declare.fields import Reference


@entity(plural="sample_gadgets", title="name", name="sample_gadget")
class SampleGadget(Entity, frozen=True):
    """A gadget."""

    name: str
    {field}
'''
SERVICE = '''"""The rules of gadgets."""

from ovasabi.kernel.service import EntityService
from {home}.entity import SampleGadget


class SampleGadgets(EntityService[SampleGadget]):
    """Gadgets."""

    {member}
'''
AT_IMPORT = (
    "colour: Colour",
    "",
    "ovasabi.services.sample_gadget.entity cannot be imported: "
    "NameError: name 'Colour' is not defined (entity.py, line 14).",
    "Set OVASABI_LOG_LEVEL=debug for details.",
)
AT_DECLARATION = (
    "version: int",
    "",
    "sample_gadget declares the field version, which every entity has.",
    "Rename the field.",
)
OF_A_CLASS = (
    "",
    "async def check(self, values: object, before: object) -> None: ...",
    "SampleGadgets.check must be declared with `def`.",
    None,
)
OF_AN_INSTANCE = (
    "",
    "def __init__(self, database: object, registry: object) -> None:\n"
    "        super().__init__(database, registry)\n"
    "        self.create = self.repository.create",
    "SampleGadgets.__init__ replaces self.create.",
    "Move the rule to check or prepare, which every create runs.",
)
AMONG_ALL = (
    'maker_id: Annotated[int, Reference("sample_maker")] | None = None',
    "",
    "sample_gadget.maker_id refers to 'sample_maker', which no service declares.",
    f"Declared types: {', '.join(sorted([*declared, 'sample_gadget']))}.",
)
IN_A_CONTRACT = (
    "a1: str = ''; a_1: str = ''",
    "",
    "The fields a1 and a_1 of ovasabi.sample_gadget.v1.SampleGadgetDraft would have the same name in JSON.",
    "Rename one of them.",
)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def run(services: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of a program that has the services of another folder, too."""
    settings = {"OVASABI_HOME": str(services / "home"), "OVASABI_PORT": str(free_port()), "OVASABI_GRPC_PORT": "0"}
    settings["OVASABI_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")} | settings
    return command_line.run(*command, env=environment, cwd=services, services=services)


@pytest.mark.parametrize(
    ("command", "case"),
    [
        (["status"], AT_DECLARATION),
        (["status"], OF_A_CLASS),
        (["status"], OF_AN_INSTANCE),
        (["status"], IN_A_CONTRACT),
        (["status"], AMONG_ALL),
        (["status"], AT_IMPORT),
        (["serve"], AMONG_ALL),
        (["serve"], IN_A_CONTRACT),
        (["migrate"], AMONG_ALL),
        (["migrate", "--plan"], AMONG_ALL),
        (["migrate", "--plan"], OF_AN_INSTANCE),
        (["api", "--check"], AMONG_ALL),
        (["api", "--check"], OF_AN_INSTANCE),
        (["new", "service", "sample_voucher"], AMONG_ALL),
        (["call", "sample_gadgets", "list", "--campaign", "python"], AT_DECLARATION),
    ],
    ids=[
        "status",
        "status-class",
        "status-instance",
        "status-contract",
        "status-all",
        "status-import",
        "serve",
        "serve-contract",
        "migrate",
        "plan",
        "plan-instance",
        "api",
        "api-instance",
        "new",
        "call",
    ],
)
def test_it_is_told_in_one_sentence(tmp_path: Path, command: list[str], case: tuple[str, str, str, str | None]) -> None:
    field, member, problem, hint = case
    folder = tmp_path / "sample_gadget"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Gadgets."""\n')
    (folder / "entity.py").write_text(ENTITY.replace("{field}", field))
    (folder / "service.py").write_text(SERVICE.format(home="ovasabi.services.sample_gadget", member=member))
    answer = run(tmp_path, *command)
    assert answer.stderr == f"error: {problem}\n" + (f"hint: {hint}\n" if hint else "")
    assert (answer.returncode, answer.stdout) == (2, "")

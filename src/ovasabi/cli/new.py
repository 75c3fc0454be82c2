"""`ovasabi new service NAME`: generates a working service in files of its own; no existing file is edited."""

import importlib
import keyword
import re
import shutil
from pathlib import Path

import click
import msgspec

from ovasabi.cli.nouns import plural as plural_of
from ovasabi.cli.nouns import singular
from ovasabi.errors import DeclarationError, Kind, OvasabiError, such_as

MAX_NAME = 29
"""Keeps derived names within PostgreSQL's limit of 63 bytes, and the lines of generated code within the linter's."""
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CLASS = re.compile(r"[A-Z][A-Za-z0-9]*")

INIT = '''"""{Words} of a campaign."""
'''
ENTITY = '''"""The data of {words}."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ovasabi.kernel.declare.entity import Entity, entity
from ovasabi.kernel.declare.fields import Filter, Output, Search


class {Entity}State(StrEnum):
    """The lifecycle state of the {noun}."""

    ACTIVE = "active"
    ARCHIVED = "archived"


@entity(plural="{plural}", title="name"{named})
class {Entity}(Entity, frozen=True):
    """A campaign's {noun}."""

    name: Annotated[str, Meta(min_length=1, max_length=200), Search("A")]
    description: Annotated[str, Meta(max_length=10_000), Search("B")] = ""
    state: Annotated[{Entity}State, Filter(), Output()] = {Entity}State.ACTIVE
'''
SERVICE = '''"""The rules of {words}: active or archived."""

from ovasabi.kernel.declare.moves import move
from ovasabi.kernel.service import EntityService
{imports}

ACTIVE, ARCHIVED = {Entity}State.ACTIVE, {Entity}State.ARCHIVED


class {Service}(EntityService[{Entity}]):
    """{Words}."""

    @move(from_=[ACTIVE], to=ARCHIVED)
    async def archive(self, {argument}: {Entity}) -> None:
        """Archives the {noun}."""

    @move(from_=[ARCHIVED], to=ACTIVE)
    async def unarchive(self, {argument}: {Entity}) -> None:
        """Makes an archived {noun} active again."""
'''
FILES = {"__init__.py": INIT, "entity.py": ENTITY, "service.py": SERVICE}


class NameRefused(OvasabiError):
    """The name of the new service is not valid, or is already in use."""

    kind = Kind.INVALID
    code = "name_refused"
    message = "{problem}"
    example = such_as(problem="The service voucher already exists.", hint="Choose another name.")


class NotFromSources(OvasabiError):
    """A service is generated into the source tree, which is missing or not writable."""

    kind = Kind.PRECONDITION
    code = "not_from_sources"
    message = "The service cannot be generated: {problem}."
    hint = "Run the command from your own checkout of OVASABI: .venv/bin/ovasabi new service NAME"
    example = such_as(problem="this is an installed package without the source tree")


class Names(msgspec.Struct, frozen=True):
    """The names of a new service, derived from the one that was given."""

    name: str
    entity: str
    plural: str

    @property
    def type_name(self) -> str:
        """The entity's type name: the class name in lower case, with NAME's underscores if it is derived from NAME."""
        joined = self.name.replace("_", "")
        return self.name if joined == self.entity.lower() else self.entity.lower()

    @property
    def service(self) -> str:
        """The name of the service class: the plural of the entity, as for all services."""
        return _camel(self.plural) if _camel(self.plural) != self.entity else f"{self.entity}Service"

    def placeholders(self) -> dict[str, str]:
        """The values of the templates' placeholders."""
        from ovasabi.codegen.client.formatting import imports

        words = self.plural.replace("_", " ")
        return {
            "imports": imports(f"ovasabi.services.{self.name}.entity", [self.entity, f"{self.entity}State"]),
            "name": self.name,
            "Entity": self.entity,
            "plural": self.plural,
            "named": f', name="{self.type_name}"' if self.type_name != self.entity.lower() else "",
            "words": words,
            "Words": words.capitalize(),
            "noun": re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", self.entity).lower(),
            "Service": self.service,
            "argument": "it" if keyword.iskeyword(self.type_name) or self.type_name == "self" else self.type_name,
        }


@click.group()
def new() -> None:
    """Generate code, such as that of a new service."""


@new.command(short_help="Generate the code of a new service.")
@click.argument("name")
@click.option(
    "--entity", help="The class of the entity. By default derived from NAME: GiftCard for gift_card or gift_cards."
)
@click.option(
    "--plural", help="The name in URLs. By default derived from NAME: gift_cards for gift_card or gift_cards."
)
def service(name: str, entity: str | None, plural: str | None) -> None:
    """Generate a service in the source tree: its entity, its rules, and the migration that creates its table."""
    names = Names(name, entity or _camel(singular(name)), plural or plural_of(name))
    check_names(names)
    for path in write(names):
        click.echo(f"wrote {path}")
    click.echo(f"\nRun `make run` to serve it at /v1/campaigns/{{campaign}}/{names.plural}")
    click.echo("Run `make api` to generate its contract, its pages and its part of the client; commit them with it.")
    click.echo("Then run `make test`: every test that discovers services covers it, too.")


def check_names(names: Names) -> None:
    """Refuses names that are not valid, or already in use."""
    from ovasabi.gateway.contract.checks import discovered
    from ovasabi.kernel.declare.entity import declared
    from ovasabi.kernel.service import services

    _check_name("NAME", names.name, derived=False)
    _check_name("--plural", names.plural, derived=names.plural == plural_of(names.name))
    _check_class(names.entity, derived=names.entity == _camel(singular(names.name)))
    if names.name in discovered():
        raise NameRefused(problem=f"The service {names.name} already exists.", hint="Choose another name.")
    if names.type_name in declared:
        raise NameRefused(problem=f"The entity {names.type_name} already exists.", hint="Choose another --entity.")
    if names.plural in {service.subject.collection for service in services}:
        raise NameRefused(problem=f"The plural {names.plural} is already in use.", hint="Choose another --plural.")
    imported = set(re.findall(r"import (.+)", ENTITY + SERVICE.split("{imports}")[0]))
    if {names.entity, names.service} & {word for line in imported for word in line.split(", ")}:
        raise NameRefused(
            problem=f"The class name {names.entity} or {names.service} is already used by the kernel.",
            hint="Choose another --entity.",
        )


def _check_name(parameter: str, name: str, *, derived: bool) -> None:
    """Refuses a name that is not valid, whether it was given or follows from another one."""
    if NAME.fullmatch(name) and len(name) <= MAX_NAME and not keyword.iskeyword(name):
        return
    reason = "a keyword of Python" if keyword.iskeyword(name) else "not a valid name"
    form = f"up to {MAX_NAME} lowercase letters, digits and single underscores, for example gift_card"
    if derived:
        raise NameRefused(
            problem=f"The plural would be {name!r}, which is {reason}.",
            hint=f"Set another one with {parameter}: {form}.",
        )
    raise NameRefused(problem=f"{parameter} is {name!r}, which is {reason}.", hint=f"Use {form}.")


def _check_class(name: str, *, derived: bool) -> None:
    """Refuses the name of a class that is not valid, whether it was given or follows from another one."""
    if CLASS.fullmatch(name) and len(name) <= MAX_NAME and not keyword.iskeyword(name):
        return
    reason = "a keyword of Python" if keyword.iskeyword(name) else "not a valid class name"
    if derived:
        problem = f"The class of the entity would be {name!r}, which is {reason}."
        raise NameRefused(problem=problem, hint="Set another one with --entity, for example GiftCard.")
    raise NameRefused(problem=f"--entity is {name!r}, which is {reason}.", hint="Use a name such as GiftCard.")


def write(names: Names) -> list[Path]:
    """Writes the folder of the service and its migration; if anything fails, neither is left behind."""
    from ovasabi import services

    folder = Path(services.__path__[0]) / names.name
    if not (folder.parents[3] / "migrations" / "versions").is_dir():
        raise NotFromSources(problem="this is an installed package without the source tree")
    try:
        _make(folder)
        try:
            for file, template in FILES.items():
                (folder / file).write_text(template.format(**names.placeholders()))
            _check_generated()
            return [*(folder / file for file in FILES), _write_migration(names)]
        except DeclarationError as error:
            shutil.rmtree(folder)
            raise NameRefused(problem=str(error), hint=error.hint or "Choose another name.") from error
        except BaseException:
            shutil.rmtree(folder)
            raise
    except OSError as error:
        raise NotFromSources(problem=f"{error.strerror or error}") from error


def _make(folder: Path) -> None:
    """Creates the folder; one that has only compiled modules, as another branch leaves it behind, counts as none."""
    if folder.exists() and all("__pycache__" in path.parts or path.is_dir() for path in folder.rglob("*")):
        shutil.rmtree(folder)
    if folder.exists():
        raise NameRefused(
            problem=f"The folder {folder.name} already exists.", hint=f"Choose another name, or remove {folder}."
        )
    folder.mkdir()


def _check_generated() -> None:
    """Raises `DeclarationError` if the new service, among the others, could not pass the checks of the project."""
    from ovasabi.codegen.generated import generated
    from ovasabi.gateway.contract.checks import check_contracts, discovered
    from ovasabi.kernel.service import declared_methods

    importlib.invalidate_caches()
    discovered()
    check_contracts()
    generated(declared_methods())


def _write_migration(names: Names) -> Path:
    from ovasabi.kernel.declare.entity import declared
    from ovasabi.lifecycle import migrations

    types = [of for of in declared.values() if of.service == names.name]
    return migrations.new_offline(types, names.name)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))

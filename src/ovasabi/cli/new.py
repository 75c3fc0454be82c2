"""`ovasabi new service NAME`: a service that works at once, written as files of its own; nothing existing is edited."""

import importlib
import keyword
import re
import shutil
from pathlib import Path

import click
import msgspec

from ovasabi.errors import Kind, OvasabiError, such_as

MAX_NAME = 30
"""So that the longest name made from it, a campaign's leaf of a month, stays within PostgreSQL's 63 bytes."""
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CLASS = re.compile(r"[A-Z][A-Za-z0-9]*")

INIT = '''"""{Words}: what a campaign has of them."""
'''
ENTITY = '''"""The data of {words}."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ovasabi.kernel.declare.entity import Entity, entity
from ovasabi.kernel.declare.fields import Filter, Output, Search


class {Entity}State(StrEnum):
    """Whether it is in use."""

    ACTIVE = "active"
    ARCHIVED = "archived"


@entity(plural="{plural}", title="name"{named})
class {Entity}(Entity, frozen=True):
    """One of the {words} of a campaign."""

    name: Annotated[str, Meta(min_length=1, max_length=200), Search("A")]
    description: Annotated[str, Meta(max_length=10_000), Search("B")] = ""
    state: Annotated[{Entity}State, Filter(), Output()] = {Entity}State.ACTIVE
'''
SERVICE = '''"""The rules of {words}: in use, or archived."""

from ovasabi.kernel.declare.moves import move
from ovasabi.kernel.service import EntityService
from ovasabi.services.{name}.entity import {Entity}, {Entity}State

ACTIVE, ARCHIVED = {Entity}State.ACTIVE, {Entity}State.ARCHIVED


class {Service}(EntityService[{Entity}]):
    """{Words}."""

    @move(from_=[ACTIVE], to=ARCHIVED)
    async def archive(self, {argument}: {Entity}) -> None:
        """Puts it away."""

    @move(from_=[ARCHIVED], to=ACTIVE)
    async def unarchive(self, {argument}: {Entity}) -> None:
        """Takes it into use again."""
'''
FILES = {"__init__.py": INIT, "entity.py": ENTITY, "service.py": SERVICE}


class NameRefused(OvasabiError):
    """A new service cannot have this name."""

    kind = Kind.INVALID
    code = "name_refused"
    message = "{problem}"
    example = such_as(problem="There is a service voucher already.", hint="Choose another name.")


class NotFromSources(OvasabiError):
    """A service is written into the sources, and they are not here, or not to be written."""

    kind = Kind.PRECONDITION
    code = "not_from_sources"
    message = "The service cannot be written: {problem}."
    hint = "Run the command in a checkout of OVASABI that is yours: .venv/bin/ovasabi new service NAME"
    example = such_as(problem="this is an installed package, without its sources")


class Names(msgspec.Struct, frozen=True):
    """All names of a new service, made from the one that was given."""

    name: str
    entity: str
    plural: str

    @property
    def type_name(self) -> str:
        """The entity's type name: as the class says it, with NAME's underscores if it is made from NAME."""
        squeezed = self.name.replace("_", "")
        return self.name if squeezed == self.entity.lower() else self.entity.lower()

    @property
    def service(self) -> str:
        """The class of the rules, named like the others for what it holds."""
        return _camel(self.plural) if _camel(self.plural) != self.entity else f"{self.entity}Service"

    def places(self) -> dict[str, str]:
        """What the templates say in braces."""
        words = self.plural.replace("_", " ")
        return {
            "name": self.name,
            "Entity": self.entity,
            "plural": self.plural,
            "named": f', name="{self.type_name}"' if self.type_name != self.entity.lower() else "",
            "words": words,
            "Words": words.capitalize(),
            "Service": self.service,
            "argument": "it" if keyword.iskeyword(self.type_name) or self.type_name == "self" else self.type_name,
        }


@click.group()
def new() -> None:
    """Write the start of something new."""


@new.command()
@click.argument("name")
@click.option("--entity", help="The class of its entity; by default made from NAME: GiftCard for gift_card.")
@click.option("--plural", help="Its name in addresses; by default made from NAME: gift_cards.")
def service(name: str, entity: str | None, plural: str | None) -> None:
    """Write a service into the sources: its declaration, its rules, and the migration that makes its table."""
    names = Names(name, entity or _camel(name), plural or _plural(name))
    check_names(names)
    for path in write(names):
        click.echo(f"wrote {path}")
    click.echo(f"\n`make run` serves it at once, at /v1/campaigns/{{campaign}}/{names.plural}")
    click.echo("`make api` writes its contract, its pages and its part of the client; commit them with it.")
    click.echo("`make test` then runs every test that finds services by looking, for it as well.")


def check_names(names: Names) -> None:
    """Refuses names that are malformed, or taken."""
    from ovasabi.discovery import discover
    from ovasabi.kernel.declare.entity import declared
    from ovasabi.kernel.service import services

    for what, given in (("NAME", names.name), ("--plural", names.plural)):
        if not NAME.fullmatch(given) or len(given) > MAX_NAME or keyword.iskeyword(given):
            problem = f"{what} is {given!r}, which is no name of a service."
            hint = f"Use up to {MAX_NAME} lower case letters, digits and single underscores, such as: gift_card."
            raise NameRefused(problem=problem, hint=hint)
    if not CLASS.fullmatch(names.entity) or len(names.entity) > MAX_NAME or keyword.iskeyword(names.entity):
        raise NameRefused(
            problem=f"--entity is {names.entity!r}, which is no name of a class.", hint="Such as: GiftCard."
        )
    if names.name in discover():
        raise NameRefused(problem=f"There is a service {names.name} already.", hint="Choose another name.")
    if names.type_name in declared:
        raise NameRefused(problem=f"There is an entity {names.type_name} already.", hint="Choose another --entity.")
    if names.plural in {service.subject.collection for service in services}:
        raise NameRefused(problem=f"The address {names.plural} is taken.", hint="Choose another --plural.")
    imported = set(re.findall(r"import (.+)", ENTITY + SERVICE.split("from ovasabi.services")[0]))
    if {names.entity, names.service} & {word for line in imported for word in line.split(", ")}:
        raise NameRefused(
            problem=f"The kernel has a class {names.entity} or {names.service}.", hint="Choose another --entity."
        )


def write(names: Names) -> list[Path]:
    """Writes the folder of the service and its migration; if anything fails, neither stays."""
    from ovasabi import services

    folder = Path(services.__path__[0]) / names.name
    if not (folder.parents[3] / "migrations" / "versions").is_dir():
        raise NotFromSources(problem="this is an installed package, without its sources")
    try:
        folder.mkdir()
        try:
            for file, template in FILES.items():
                (folder / file).write_text(template.format(**names.places()))
            return [*(folder / file for file in FILES), _write_migration(names)]
        except BaseException:
            shutil.rmtree(folder)
            raise
    except OSError as error:
        raise NotFromSources(problem=f"{error.strerror or error}") from error


def _write_migration(names: Names) -> Path:
    from ovasabi.discovery import discover
    from ovasabi.kernel.declare.entity import declared
    from ovasabi.lifecycle import migrations

    importlib.invalidate_caches()
    discover()
    types = [of for of in declared.values() if of.service == names.name]
    return migrations.new_offline(types, names.name)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _plural(name: str) -> str:
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search(r"(s|x|z|ch|sh)$", name) else f"{name}s"

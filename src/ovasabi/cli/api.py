"""`ovasabi api`: writes the contracts of the API from what is declared, checks them, and records a release."""

from pathlib import Path

import click

import ovasabi
from ovasabi.errors import Kind, OvasabiError, such_as


class Drifted(OvasabiError):
    """Generated files are not what would be generated."""

    kind = Kind.PRECONDITION
    code = "generated_files_differ"
    message = "These files are not as they would be generated: {paths}."
    hint = "Run `make api`, and commit what it changes."
    example = such_as(paths="api/ovasabi/content/v1/openapi.json")


class ContractBroken(OvasabiError):
    """The present contract breaks what was released."""

    kind = Kind.PRECONDITION
    code = "contract_broken"
    message = "Programs that rely on the released contract would break: {problems}."
    hint = "Add instead of changing; what must differ gets another name."
    example = such_as(problems="ovasabi.content.v1.Content.title: its type was string and is int64 (FIELD_SAME_TYPE)")


class NoSources(OvasabiError):
    """Generated files are kept with the sources, and they are not here."""

    kind = Kind.PRECONDITION
    code = "sources_missing"
    message = "The generated files are part of the sources, and this is an installed package."
    hint = "Run the command in a checkout of OVASABI: .venv/bin/ovasabi api"


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; say what differs, and fail if anything does.")
@click.option("--release", is_flag=True, help="Also record the contract as released: from then on it is kept.")
def api(check: bool, release: bool) -> None:
    """Write api/ and the other generated files from what the services declare."""
    from ovasabi.codegen import generated
    from ovasabi.codegen.proto import release as releases
    from ovasabi.discovery import discover
    from ovasabi.gateway.contract.protobuf.contract import contract_of
    from ovasabi.kernel.service import services

    root = _sources()
    discover()
    methods = [method for service in services for method in service.methods()]
    files = generated.generated(methods)
    if broken := releases.broken(root / "api", contract_of(methods)):
        raise ContractBroken(problems="; ".join(map(str, broken)))
    if check:
        if paths := generated.drift(root, files):
            raise Drifted(paths=", ".join(paths))
        return
    changed = generated.write(root, files)
    if release:
        changed.append(releases.record(root / "api", contract_of(methods)))
    for path in changed:
        click.echo(path)


def _sources() -> Path:
    root = Path(ovasabi.__file__).parents[2]
    if not (root / "api").is_dir() or not (root / "pyproject.toml").is_file():
        raise NoSources
    return root

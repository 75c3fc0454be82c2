"""`ovasabi api`: generates the API contracts from the declarations, checks them, and records releases."""

from pathlib import Path

import click

import ovasabi
from ovasabi.errors import Kind, OvasabiError, such_as


class Drifted(OvasabiError):
    """The generated files are out of date."""

    kind = Kind.PRECONDITION
    code = "generated_files_differ"
    message = "These generated files are out of date: {paths}."
    hint = "Run `make api` and commit the changes."
    example = such_as(paths="api/ovasabi/content/v1/openapi.json")


class ContractBroken(OvasabiError):
    """The contract is not compatible with the released one."""

    kind = Kind.PRECONDITION
    code = "contract_broken"
    message = "These changes would break clients of the released contract: {problems}."
    hint = "Add something new under another name instead of changing what exists."
    example = such_as(problems="ovasabi.content.v1.Content.title: its type was string and is int64 (FIELD_SAME_TYPE)")


class NoSources(OvasabiError):
    """The generated files are part of the source tree, which an installed package does not include."""

    kind = Kind.PRECONDITION
    code = "sources_missing"
    message = "The generated files are part of the source tree, but this is an installed package."
    hint = "Run the command from a checkout of OVASABI: .venv/bin/ovasabi api"


@click.command()
@click.option(
    "--check", is_flag=True, help="Write nothing; list the files that are out of date, and fail if there are any."
)
@click.option("--release", is_flag=True, help="Also record the contract as released; later changes must not break it.")
def api(check: bool, release: bool) -> None:
    """Generate api/ and the other generated files from the declarations of the services."""
    from ovasabi.codegen import generated
    from ovasabi.codegen.proto import release as releases
    from ovasabi.gateway.contract.checks import discovered
    from ovasabi.gateway.contract.protobuf.contract import contract_of
    from ovasabi.kernel.service import services

    root = _sources()
    discovered()
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

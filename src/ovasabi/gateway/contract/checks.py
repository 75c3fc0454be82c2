"""Whether everything that is declared can be expressed in both contracts, OpenAPI and protobuf."""

from ovasabi.discovery import discover
from ovasabi.gateway.contract.openapi.document import described
from ovasabi.gateway.contract.protobuf.descriptor_builder import declare
from ovasabi.kernel.service import declared_methods


def check_contracts() -> None:
    """Raises `DeclarationError` if a declaration cannot be expressed in the contracts, or breaks the released one."""
    from ovasabi.gateway.contract.protobuf.contract import contract_of  # loads protobuf

    methods = declared_methods()
    contract_of(methods)
    described(methods)


def discovered() -> list[str]:
    """Imports all services; returns the names of their folders. Every command that needs the services begins with it.

    Raises `DeclarationError` if a declaration is wrong, or cannot be expressed in protobuf. Does not load protobuf.
    """
    folders = discover()
    declare(declared_methods())
    return folders

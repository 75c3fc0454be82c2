"""How long methods are declared, and what of an entity's operations a service offers."""

from typing import Any

import msgspec

from ovasabi.discovery import discover
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.methods import OPERATION, Method, MethodKind, long
from ovasabi.kernel.declare.signatures import own_methods
from ovasabi.kernel.service import EntityService, services
from ovasabi.kernel.transfer.import_export import ExportRequest, ImportRequest, ImportResult
from ovasabi.kernel.work.long_methods import Progress, carry_out
from ovasabi.services.content.entity import Content
from ovasabi.services.content.service import Contents
from ovasabi.system.user.service import Users

discover()


class Request(msgspec.Struct, frozen=True):
    """A request."""

    word: str


class Declared:
    """A class with long methods of each sort."""

    manages = Role.ADMIN

    @long(role=None)
    async def sweep(self, progress: Progress) -> None:
        """Sweeps."""

    @long(role=Role.READER)
    async def render(self, content: Content, request: Request, progress: Progress) -> ImportResult:
        """Renders one."""
        return ImportResult(created=len(content.title), rejected=len(request.word))


def methods_of(service: type[EntityService[Any]]) -> dict[str, Method]:
    """The methods of a service by name."""
    return {method.name: method for method in service.methods()}


def test_a_long_method_answers_with_an_operation_and_says_what_its_result_is() -> None:
    found = methods_of(Contents)["import"]
    assert (found.operation, found.request, found.result) == (MethodKind.LONG, ImportRequest, ImportResult)
    assert found.response is declared[OPERATION].cls
    assert (found.id, found.function, found.on_entity) == ("contents_import", "import_", False)
    assert found.takes_key
    assert found.writes
    assert not found.takes_version
    assert "Its result is of type `ImportResult`." in found.doc
    assert methods_of(Contents)["export"].request is ExportRequest


def test_who_may_import_is_who_may_create() -> None:
    assert methods_of(Contents)["import"].role is Role.WRITER
    assert methods_of(Users)["import"].role is Users.manages is Role.ADMIN


def test_a_long_method_may_be_of_one_entity_and_may_have_no_request() -> None:
    render, sweep = own_methods(Declared, Contents.subject)
    assert (render.name, render.on_entity, render.request, render.role) == ("render", True, Request, Role.READER)
    assert (sweep.name, sweep.on_entity, sweep.request, sweep.role) == ("sweep", False, None, Role.ADMIN)
    assert sweep.result is None
    assert "Its result is empty." in sweep.doc


async def test_it_is_called_with_its_entity_its_request_and_its_progress() -> None:
    render, _ = own_methods(Declared, Contents.subject)

    class Serving(Declared):
        async def get(self, reference: str) -> Any:
            assert reference == "7"
            return msgspec.defstruct("Content", ["title"])("four")

    class Running:
        services = {render.subject.label: Serving()}  # noqa: RUF012  (nobody changes it)

        def named(self, entity_type: str) -> Serving:
            assert entity_type == "content"
            return self.services["contents"]

    progress: Any = object()
    result = await carry_out(Running(), render, "7", '{"word": "ab"}', progress)  # type: ignore[arg-type]
    assert (result.created, result.rejected) == (4, 2)


def test_where_there_are_no_operations_no_long_method_is_offered() -> None:
    kept = declared.pop(OPERATION)
    try:
        assert {"import", "export"}.isdisjoint(methods_of(Contents))
    finally:
        declared[OPERATION] = kept


def test_what_a_service_does_not_offer_is_no_method_of_it() -> None:
    class Narrow(Contents.__mro__[1]):  # type: ignore[name-defined,misc]  # EntityService, without its parameter
        __orig_bases__ = Contents.__orig_bases__  # type: ignore[attr-defined]
        offers = frozenset({MethodKind.GET, MethodKind.LIST})

    services.remove(Narrow)
    assert set(methods_of(Narrow)) == {"get", "list"}

"""Methods, moves and rules that could not be called as they are declared are refused when the program starts."""

import gc
import sys
import textwrap
import types
from collections.abc import Iterator
from typing import Any

import pytest

from ovasabi.database.connection import Database
from ovasabi.discovery import discover
from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.service import ServiceRegistry, check_consistency, services

discover()
MODULE = '''
import functools
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import Entity, Scope, entity
from ovasabi.kernel.declare.fields import FromMetadata, Immutable, Output, Reference
from ovasabi.kernel.declare.methods import MethodKind, Resource, Watched, long, read, verb, watch
from ovasabi.kernel.declare.moves import move
from ovasabi.kernel.service import EntityService, Service
from ovasabi.kernel.work.long_methods import Progress
from ovasabi.services.content.entity import Content


class State(StrEnum):
    """The state of a gadget."""

    OFF = "off"
    ON = "on"
    GONE = "gone"


OFF, ON, GONE = State.OFF, State.ON, State.GONE


@entity(plural="samplegadgets", title="name")
class Samplegadget(Entity, frozen=True):
    """A gadget."""

    name: str
    state: Annotated[State, Output()] = State.OFF


class Ask(msgspec.Struct, frozen=True):
    """A request."""

    text: str = ""


class Told(msgspec.Struct, frozen=True):
    """A response."""

    text: str = ""


class Message(Watched, frozen=True, kw_only=True):
    """A message of a watch."""

    text: str | None = None


class From(msgspec.Struct, frozen=True):
    """The request of a watch."""

    after: str = ""
'''
SERVICE = '''

class Samplegadgets(EntityService[Samplegadget]):
    """Gadgets."""

'''
ACT = '"""Acts."""'


HOME = "ovasabi.services.samplegadget.service"


@pytest.fixture(autouse=True)
def only_for_the_test() -> Iterator[None]:
    """Leaves no declaration behind."""
    before, classes = dict(declared), list(services)
    sys.modules[HOME] = types.ModuleType(HOME)
    yield
    del sys.modules[HOME]
    take_back(before, classes)
    gc.collect()  # error classes are known as long as they exist


def take_back(before: dict[str, Any], classes: list[Any]) -> None:
    """Forgets what was declared since."""
    declared.clear()
    declared.update(before)
    services[:] = classes


def run(body: str = "", before: str = "", behind: str = "") -> dict[str, Any]:
    """Declares the gadget, and a service of it with this body; checks both as a start does."""
    text = f"{MODULE}\n{before}\n{SERVICE}{textwrap.indent(body or 'pass', '    ')}\n\n{behind}\n"
    names = vars(sys.modules[HOME])
    exec(compile(text, "service.py", "exec"), names)
    check_consistency(services, list(declared.values()))
    return names


def refusal(body: str = "", before: str = "", behind: str = "") -> str:
    """What is wrong with it, in one sentence."""
    known, classes = dict(declared), list(services)
    with pytest.raises(DeclarationError) as refused:
        run(body, before, behind)
    take_back(known, classes)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def method(signature: str, returns: str = "None", decorator: str = "@verb()", form: str = "async def") -> str:
    """A method with such a signature."""
    return f"{decorator}\n{form} act({signature}) -> {returns}:\n    {ACT}\n"


def test_what_is_right_is_accepted() -> None:
    run(
        method("self, gadget: Samplegadget, ask: Ask", "Told")
        + method("self, ask: Ask, progress: Progress", "Told", "@long()").replace("act", "work")
        + method("self, ask: From", "AsyncGenerator[Message, None]", "@watch()", "def").replace("act", "follow")
        + method("self, gadget: Samplegadget", "None", "@move(from_=[OFF], to=ON)").replace("act", "turn")
        + "def __repr__(self) -> str:\n    return 'gadgets'\n"
        + "resource = Resource.EITHER\nmanages = Role.ADMIN\nlimit = 5\n"
    )


PLAIN = "in a form that no call can use."
SIGNATURES = [
    ("self, *args: Any", f"has the parameter `args` {PLAIN}"),
    ("self, **options: Any", f"has the parameter `options` {PLAIN}"),
    ("self, gadget: Samplegadget, *args: Ask", f"has the parameter `args` {PLAIN}"),
    ("self, gadget: Samplegadget, *, ask: Ask", f"has the parameter `ask` {PLAIN}"),
    ("self, gadget: Samplegadget, ask: Ask = Ask()", f"has the parameter `ask` {PLAIN}"),
    ("self, gadget: Samplegadget = None", f"has the parameter `gadget` {PLAIN}"),
    ("", "does not have the parameter self."),
    ("self, gadget", "has no annotation for gadget."),
    ("self, thing: 'Nowhere'", "has an annotation that is not defined: name 'Nowhere' is not defined."),
    ("self, reference: str", "must have at most one parameter other than the entity"),
    ("self, count: int", "must have at most one parameter other than the entity"),
    ("self, ask: Ask | Told", "must have at most one parameter other than the entity"),
    ("self, ask: Ask, gadget: Samplegadget", "must have at most one parameter other than the entity"),
    ("self, content: Content", "must have at most one parameter other than the entity"),
    ("self, anything: Entity", "must have at most one parameter other than the entity"),
]


@pytest.mark.parametrize(("signature", "problem"), SIGNATURES)
def test_a_method_has_parameters_that_calls_can_pass(signature: str, problem: str) -> None:
    for decorator in ("@verb()", "@read()", "@move(from_=[OFF], to=ON)"):
        told = refusal(method(signature, decorator=decorator))
        assert told.startswith("Samplegadgets.act ")
        assert problem in told or "is a move, so its first parameter must be the entity." in told


@pytest.mark.parametrize(
    "returned",
    ["int", "str", "list[Told]", "dict[str, Any]", "Told | Ask", "Told | None", "Any", "tuple[Told, Ask]", "State"],
)
def test_a_method_returns_a_struct_or_nothing(returned: str) -> None:
    for body in (method("self", returned), method("self, progress: Progress", returned, "@long()")):
        assert refusal(body) == f"Samplegadgets.act returns {returned}, which is not a struct."


DECORATED = [
    ("@staticmethod\n@verb()", "async def", "is a method below @staticmethod, which hides it."),
    ("@classmethod\n@verb()", "async def", "is a method below @classmethod, which hides it."),
    ("@property\n@verb()", "async def", "is a method below @property, which hides it."),
    ("@functools.lru_cache\n@verb()", "async def", "is a method below @_lru_cache_wrapper, which hides it."),
    ("@verb()\n@staticmethod", "async def", "@verb stands above staticmethod, which is not a function."),
    ("@read()\n@classmethod", "async def", "@read stands above classmethod, which is not a function."),
    ("@long()\n@property", "def", "@long stands above property, which is not a function."),
    ("@move(from_=[OFF], to=ON)\n@staticmethod", "async def", "@move stands above staticmethod, which is not"),
    ("@verb()\n@verb()", "async def", "Samplegadgets.act is already declared as a method."),
    ("@verb()\n@read()", "async def", "Samplegadgets.act is already declared as a method."),
    ("@long()\n@verb()", "async def", "Samplegadgets.act is already declared as a method."),
    ("@verb()\n@move(from_=[OFF], to=ON)", "async def", "Samplegadgets.act is already declared as a method."),
    ("@verb(role=None)", "async def", "Samplegadgets.act requires None, which is not a role."),
    ("@read(role=None)", "async def", "Samplegadgets.act requires None, which is not a role."),
    ("@move(from_=[OFF], to=ON, role=None)", "async def", "Samplegadgets.act requires None, which is not a role."),
    ("@verb()", "def", "Samplegadgets.act must be declared with `async def`."),
]


@pytest.mark.parametrize(("decorator", "form", "problem"), DECORATED)
def test_a_decorator_stands_alone_above_a_function(decorator: str, form: str, problem: str) -> None:
    assert problem in refusal(method("self, gadget: Samplegadget", decorator=decorator, form=form))


MOVES = [
    ('from_="off", to=ON', "has from_='off', which must be of the type list[StrEnum] | tuple[StrEnum, ...]."),
    ('from_=["off"], to=ON', "has from_=['off'], which must be of the type"),
    ("from_=None, to=ON", "has from_=None, which must be of the type"),
    ("from_=State, to=ON", "has from_=<enum 'State'>, which must be of the type"),
    ("from_={OFF}, to=ON", "has from_={<State.OFF: 'off'>}, which must be of the type"),
    ('from_=[OFF], to="on"', "has to='on', which must be of the type StrEnum."),
    ("from_=[OFF], to=None", "has to=None, which must be of the type StrEnum."),
    ("from_=[OFF], to=State", "has to=<enum 'State'>, which must be of the type StrEnum."),
    ("from_=[OFF], to=ON, field=5", "has field=5, which must be of the type str | None."),
    ('from_=[OFF], to=ON, internal="yes"', "has internal='yes', which must be of the type bool."),
    ("from_=[GONE], to=ON", "samplegadget.act leads from gone, which no move leads to."),
    ("from_=[OFF, GONE], to=ON", "samplegadget.act leads from gone, which no move leads to."),
]


@pytest.mark.parametrize(("arguments", "problem"), MOVES)
def test_a_move_leads_from_states_in_which_an_entity_can_be(arguments: str, problem: str) -> None:
    assert problem in refusal(method("self, gadget: Samplegadget", decorator=f"@move({arguments})"))


def test_a_move_that_only_the_service_makes_is_checked_as_well() -> None:
    for signature, returns in (("self", "None"), ("self, ask: Ask", "None"), ("self, gadget: Samplegadget", "int")):
        told = refusal(method(signature, returns, "@move(from_=[OFF], to=ON, internal=True)"))
        assert told.startswith("Samplegadgets.act is a move, so it")
    run(method("self, gadget: Samplegadget, one: int, two: str", "None", "@move(from_=[OFF], to=ON, internal=True)"))


def test_a_service_that_creates_entities_in_any_state_can_move_them_from_any() -> None:
    prepare = "async def prepare(self, drafts: Any) -> Any:\n    return drafts\n"
    run(prepare + method("self, gadget: Samplegadget", decorator="@move(from_=[GONE], to=ON)"))


WATCHES = [
    ("self, ask: From", "None", "is a watch, but returns NoneType."),
    ("self, ask: From", "list[Message]", "is a watch, but returns list[Message]."),
    ("self, ask: From", "Message", "is a watch, but returns Message."),
    ("self, ask: From", "AsyncGenerator[Told, None]", "is a watch, but returns AsyncGenerator[Told, NoneType]."),
    ("self, ask: From", "AsyncGenerator[Required, None]", "the field text of Required must be nullable"),
    ("self, ask: Ask", "AsyncGenerator[Message, None]", "must have a request with the field `after`"),
    ("self", "AsyncGenerator[Message, None]", "must have a request with the field `after`"),
    ("self, gadget: Samplegadget, ask: From", "AsyncGenerator[Message, None]", "must have a request with the field"),
]
REQUIRED = 'class Required(Watched, frozen=True, kw_only=True):\n    """A message."""\n\n    text: str\n'


@pytest.mark.parametrize(("signature", "returned", "problem"), WATCHES)
def test_a_watch_streams_messages_and_can_be_resumed(signature: str, returned: str, problem: str) -> None:
    told = refusal(method(signature, returned, "@watch()", "def"), REQUIRED)
    assert problem.replace("NoneType", "None") in told.replace("NoneType", "None")


@pytest.mark.parametrize("annotation", ["int", "Any", "str", "object", "'Progress | None'"])
def test_the_last_parameter_of_a_long_method_is_its_progress(annotation: str) -> None:
    told = refusal(method(f"self, progress: {annotation}", decorator="@long()"))
    assert told == "The last parameter of Samplegadgets.act, progress, must be a Progress."


REQUESTS = [
    ("text: 'Nowhere'", "has an annotation that is not defined: name 'Nowhere' is not defined."),
    ("text: str | int", "The field text of ovasabi.services.samplegadget.service.Odd has several types"),
    ("count: int = 'abc'", "has a default that is not valid: it must be an integer, not a string."),
    ("count: float = float('inf')", "has a default that is not valid: it contains a number that is not finite."),
    ("count: float = float('nan')", "has a default that is not valid: it contains a number that is not finite."),
    (
        "count: Decimal = Decimal('-Infinity')",
        "has a default that is not valid: it contains a number that is not finite.",
    ),
    ("count: Annotated[int, Meta(ge=1)] = 0", "has a default that is not valid: it must be at least 1."),
    ("count: Annotated[int, Meta(ge=5, le=3)]", "has limits that no value is within."),
    ("count: Annotated[int, Output()] = 0", "has Output() in its annotation, which means nothing there."),
    ("text: set[str]", "has the type set[str], which is not supported."),
    ("text: dict[int, str]", "has the type dict[int, str], which is not supported."),
    ("text: Any", "has the type Any, which is not supported."),
    ("text: timedelta", "has the type timedelta, which is not supported."),
    ("text: IntEnum('Kind', ['A'])", "which must be a StrEnum with values."),
    ("text: StrEnum('Kind', [])", "which must be a StrEnum with values."),
    ("text: 'Odd'", "Odd requires a value of its own type, so there can be none."),
]


@pytest.mark.parametrize(("field", "problem"), REQUESTS)
def test_a_request_can_be_expressed_everywhere(field: str, problem: str) -> None:
    odd = f'class Odd(msgspec.Struct, frozen=True):\n    """A request."""\n\n    {field}\n'
    assert problem in refusal(method("self, odd: Odd"), odd)


@pytest.mark.parametrize("option", ["tag=True", "array_like=True", "omit_defaults=True"])
def test_a_struct_is_a_plain_object(option: str) -> None:
    odd = f'class Odd(msgspec.Struct, {option}):\n    """A response."""\n\n    text: str\n'
    assert f"has the option {option.partition('=')[0]}, so its JSON" in refusal(method("self", "Odd"), odd)


@pytest.mark.parametrize("hint", ["list[str]", "dict[str, str]", "dict[str, Any]", "Ask", "Ask | None"])
def test_what_only_reads_has_a_request_that_an_address_can_hold(hint: str) -> None:
    odd = f'class Odd(msgspec.Struct):\n    """A request."""\n\n    value: {hint}\n'
    told = refusal(method("self, odd: Odd", decorator="@read()"), odd)
    assert told == "Samplegadgets.act only reads, so the field value of its request must be a single value."
    run(method("self, odd: Odd", decorator="@verb(role=Role.READER)"), odd)


MEMBERS = [
    ("offers = {MethodKind.GET}", "has offers={<MethodKind.GET: 'get'>}, which must be of the type frozenset[MethodKi"),
    ("offers = frozenset({MethodKind.VERB})", "offers has verb, which is not an operation of every entity."),
    ("resource = 'campaign'", "has resource='campaign', which must be of the type Resource."),
    ("resource = 5", "has resource=5, which must be of the type Resource."),
    ("resource = Resource.PLATFORM", "resource is platform, where samplegadget does not exist."),
    ("resource = Resource.ITSELF", "resource is itself, where samplegadget does not exist."),
    ("def __init__(self, other: int) -> None: ...", "__init__ must have the parameters (self, database, registry)."),
    ("def __getattr__(self, name: str) -> int: ...", "__getattr__ would change how the base class works."),
    ("def __init_subclass__(cls) -> None: ...", "__init_subclass__ would change how the base class works."),
    ("async def __call__(self) -> None: ...", "__call__ would change how the base class works."),
    ("def chek(self, values: Any, before: Any) -> None: ...", "chek is not a rule, so nothing would call it."),
    ("async def befor_delete(self, gadget: Any) -> None: ...", "befor_delete is not a rule, so nothing would call"),
    (method("self").replace("act", "__act__"), "The method Samplegadgets.__act__ is named '__act__'"),
]


@pytest.mark.parametrize(("body", "problem"), MEMBERS)
def test_a_member_that_would_not_work_is_refused(body: str, problem: str) -> None:
    assert problem in refusal(body)


ODD = 'class Odd(Service):\n    """Odd."""\n\n    collection = "odds"\n'
BESIDE = [
    (ODD.replace('"odds"', "5"), "Odd has collection=5, which must be of the type str."),
    (ODD + "    resource = 'campaign'\n", "Odd has resource='campaign', which must be of the type Resource."),
    (
        ODD + "    singular = 'Odd One'\n",
        "The singular of ovasabi.services.samplegadget.service.Odd is named 'Odd One'",
    ),
    (ODD + textwrap.indent(method("self, progress: Progress", decorator="@long(None)"), "    "), "requires no role."),
    (
        'class Others(EntityService[Content]):\n    """Others."""\n',
        "is not in the folder of its entity, ovasabi.servic",
    ),
]


@pytest.mark.parametrize(("behind", "problem"), BESIDE)
def test_another_service_that_would_not_work_is_refused(behind: str, problem: str) -> None:
    if "Others" in behind:
        services[:] = [each for each in services if each.__name__ != "Contents"]
    assert problem in refusal(behind=behind)


def entity_of(name: str, *fields: str, scope: str = "CAMPAIGN") -> str:
    """An entity with its service."""
    decorator = f'@entity(plural="{name.lower()}s", title="name", table="{name.lower()}", scope=Scope.{scope})'
    head = f'{decorator}\nclass {name}(Entity, frozen=True):\n    """One."""\n\n    name: str\n'
    body = "".join(f"    {field}\n" for field in fields)
    return f'{head}{body}\n\nclass {name}s(EntityService[{name}]):\n    """All."""\n\n\n'


def test_types_that_require_each_other_could_never_be_created() -> None:
    box = entity_of("Samplebox", 'lid_id: Annotated[int, Reference("samplelid")]')
    lid = entity_of("Samplelid", 'box_id: Annotated[int, Reference("samplebox")]')
    own = entity_of("Samplebox", 'box_id: Annotated[int, Reference("samplebox")]')
    for behind in (box + lid, own):
        assert refusal(behind=behind).startswith("None of these types could be created first, because each requires")
    run(behind=box + lid.replace("]\n\n", "] | None = None\n\n"))


def test_what_belongs_to_the_platform_does_not_refer_to_a_campaign() -> None:
    field = 'content_id: Annotated[int, Reference("content")] | None = None'
    told = refusal(behind=entity_of("Samplebox", field, scope="GLOBAL"))
    assert told == "samplebox.content_id refers from the platform to content, which belongs to a campaign."


def test_a_field_is_not_derived_from_the_metadata_of_another_service() -> None:
    field = 'region: Annotated[str, FromMetadata("service_specific.{}.region")] | None = None'
    told = refusal(behind=entity_of("Samplebox", field.format("content")))
    assert told.startswith("samplebox.region is derived from the namespace of the service content")
    run(behind=entity_of("Samplebox", field.format("samplegadget")))


def test_documentation_has_no_control_characters() -> None:
    told = refusal('@verb()\nasync def act(self) -> None:\n    "Acts\\0."\n')
    assert told == "The documentation of Samplegadgets.act has control characters."


def test_two_errors_do_not_share_a_code() -> None:
    odd = "from ovasabi.errors import Kind, OvasabiError\n\n\nclass Odd(OvasabiError):\n    kind = Kind.INVALID\n"
    told = refusal(before=f'{odd}    code = "not_found"\n    message = "It is odd."\n')
    assert "have the same code, not_found." in told


def test_a_service_whose_start_skips_that_of_its_base_is_refused() -> None:
    run("def __init__(self, database: Any, registry: Any) -> None:\n    self.limit = 5\n")
    with pytest.raises(DeclarationError, match=r"Samplegadgets\.__init__ does not call that of its base class"):
        ServiceRegistry(Database("postgresql://nobody@127.0.0.1:1/none", readers=1, writers=1))


def test_a_service_without_documentation_does_not_have_that_of_its_base() -> None:
    names = run(behind=entity_of("Samplebox").replace('    """All."""', "    pass"))
    assert names["Sampleboxs"].subject.doc == ""

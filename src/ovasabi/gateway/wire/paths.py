"""Where the methods of services are found over HTTP, in the form of Google's API improvement proposals."""

from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.methods import OPERATION, STANDARD, Method, MethodKind, Resource

ROOT = "/v1"
SCOPED = f"{ROOT}/campaigns/{{campaign}}"
VERBS = {MethodKind.UPDATE: "PATCH", MethodKind.DELETE: "DELETE"}


def operation_path(campaign: str | None, id: int) -> str:
    """Where the operation is that a long method, called in a campaign or on the platform, answers with."""
    prefix = ROOT if campaign is None else SCOPED.format(campaign=campaign)
    return f"{prefix}/{declared[OPERATION].plural}/{id}"


def verb_of(method: Method) -> str:
    """The method of HTTP: GET asks, POST changes, or PATCH and DELETE."""
    return VERBS.get(method.operation, "POST" if method.writes else "GET")


def suffix_of(method: Method) -> str:
    """What follows the colon, such as `publish`; nothing where the method of HTTP says it all."""
    return "" if method.operation in STANDARD else method.name


def paths_of(method: Method) -> list[str]:
    """Its addresses without the suffix, such as /v1/campaigns/{campaign}/contents/{id}."""
    collection = f"/{method.subject.collection}" if method.subject.collection else ""
    if method.resource is Resource.ITSELF:
        return [SCOPED]
    target = "/{id}" if method.on_entity else ""
    prefixes = {Resource.CAMPAIGN: [SCOPED], Resource.PLATFORM: [ROOT], Resource.EITHER: [SCOPED, ROOT]}[
        method.resource
    ]
    return [prefix + collection + target for prefix in prefixes]


def addresses_of(method: Method) -> list[str]:
    """Its addresses, such as /v1/campaigns/{campaign}/contents/{id}:publish."""
    suffix = suffix_of(method)
    return [f"{path}:{suffix}" if suffix else path for path in paths_of(method)]

"""The HTTP paths of the methods of services, following Google's API Improvement Proposals (AIPs)."""

from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.methods import OPERATION, STANDARD, Method, MethodKind, Resource

ROOT = "/v1"
SCOPED = f"{ROOT}/campaigns/{{campaign}}"
VERBS = {MethodKind.UPDATE: "PATCH", MethodKind.DELETE: "DELETE"}


def operation_path(campaign: str | None, id: int) -> str:
    """Returns the path of the operation that a long-running method returned, in a campaign or on the platform."""
    prefix = ROOT if campaign is None else SCOPED.format(campaign=campaign)
    return f"{prefix}/{declared[OPERATION].plural}/{id}"


def verb_of(method: Method) -> str:
    """Returns the HTTP method: GET for reads, POST for writes, or PATCH and DELETE."""
    return VERBS.get(method.operation, "POST" if method.writes else "GET")


def suffix_of(method: Method) -> str:
    """Returns what follows the colon, such as `publish`; empty for standard methods, which HTTP methods identify."""
    return "" if method.operation in STANDARD else method.name


def paths_of(method: Method) -> list[str]:
    """Returns the paths of a method without the suffix, such as /v1/campaigns/{campaign}/contents/{id}."""
    collection = f"/{method.subject.collection}" if method.subject.collection else ""
    if method.resource is Resource.ITSELF:
        return [SCOPED]
    target = "/{id}" if method.on_entity else ""
    prefixes = {Resource.CAMPAIGN: [SCOPED], Resource.PLATFORM: [ROOT], Resource.EITHER: [SCOPED, ROOT]}[
        method.resource
    ]
    return [prefix + collection + target for prefix in prefixes]


def addresses_of(method: Method) -> list[str]:
    """Returns the paths of a method, such as /v1/campaigns/{campaign}/contents/{id}:publish."""
    suffix = suffix_of(method)
    return [f"{path}:{suffix}" if suffix else path for path in paths_of(method)]

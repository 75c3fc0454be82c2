"""What is asked of every answer beyond the document; loaded into the fuzzer as its hooks."""

import atexit
import json
import os
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import schemathesis

from ovasabi.kernel.declare.entity import declared
from tests.fuzz.world import MARK  # which finds the services, so that they are declared

CONFINED = os.environ.get("FUZZ_CONFINED_TO", "").split()
"""The names of the campaign that the key is confined to; none for a key of the platform."""
CLOSED = os.environ.get("FUZZ_CLOSED", "")
_TALLY = os.environ.get("FUZZ_TALLY", "")
_LEFT_OUT = os.environ.get("FUZZ_LEFT_OUT", "")
_tally: Counter[str] = Counter()

# What no schema says. A refusal of well-formed data for any other reason is a fault of the document.
RULES = {
    "filter": "the grammar of filters",
    "order_by": "which fields can be ordered by",
    "page_token": "a token is of one list",
    "after": "a cursor is of one log",
    "types": "which types there are",
    "type": "which types there are",
    "q": "a query names a word",
    "metadata": "64 KiB and 20 levels",
} | {
    field.name: "digits of a number, and its bounds"
    for of in declared.values()
    for field in of.fields
    if field.base is Decimal
}
INTEGER = re.compile(r"\S+ must be an integer( or null)?, not a number with a fraction or exponent\.")
"""To a schema 1.0 is an integer; here one is written without a point, as every client writes it."""
UNSAID = ("U+0000", "before the year 1", "outside the range that the database accepts")
"""Sentences on text and times that a database refuses, whatever the field."""
SHORT_SECONDS = 5.0


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    """Keeps the open campaign alive under a key that may delete it: such a call is aimed at the closed one."""
    campaign = str((case.path_parameters or {}).get("campaign", ""))
    if campaign in CONFINED and case.method == "DELETE" and case.path == "/v1/campaigns/{campaign}":
        case.path_parameters["campaign"] = CLOSED


@schemathesis.hook
def after_call(context, case, response) -> None:
    """Counts the answers of each operation by status."""
    if response.request.method == "OPTIONS":
        return  # it is answered for every address, and says nothing of the operation
    _tally[f"{case.operation.definition.raw['operationId']} {response.status_code}"] += 1


@schemathesis.hook
def after_load_schema(context, schema) -> None:
    """Begins the count with the operations that there are, but for those that are left out."""
    for path, operations in schema.raw_schema["paths"].items():
        if not (_LEFT_OUT and re.search(_LEFT_OUT, path)):
            _tally.update({f"{operation['operationId']} 0": 0 for operation in operations.values()})


@schemathesis.check
def refuses_good_data_by_a_rule_only(ctx, response, case) -> None:
    """Data that the document allows is refused for what a schema cannot say, and then by a rule's own code."""
    if response.status_code != 400 or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    problem = response.json()
    code, field = problem["code"], str(problem.get("field") or "").split(".")[0]
    if any(sentence in problem["detail"] for sentence in UNSAID):
        return
    assert code != "invalid_request" or INTEGER.fullmatch(problem["detail"]), f"good data cannot be read: {problem}"
    assert code != "invalid_value" or field in RULES, f"good data is refused, and not by a rule: {problem}"


@schemathesis.check
def runs_out_of_time_only_if_told_to(ctx, response, case) -> None:
    """A deadline passes only where the caller set a short one."""
    if response.status_code == 504:
        asked = response.request.headers.get("X-Request-Timeout", "")
        assert asked, "the deadline passed, and none was given"
        assert float(asked) < SHORT_SECONDS, f"{asked} seconds were not enough"


@schemathesis.check
def tells_nothing_of_its_inside(ctx, response, case) -> None:
    """No stack trace, no statement, no secret."""
    for word in ("Traceback", "asyncpg", "SELECT ", "password_hash", "$argon2"):
        assert word not in _told(response), f"the answer holds {word!r}"


@schemathesis.check
def stays_in_its_campaign(ctx, response, case) -> None:
    """A key that is confined to a campaign neither changes nor reads another."""
    if not CONFINED:
        return
    assert MARK not in _told(response), "the answer holds a row of another campaign"
    campaign = str((case.path_parameters or {}).get("campaign", ""))
    if campaign not in CONFINED and response.request.method != "OPTIONS":
        assert not 200 <= response.status_code < 300, f"a call of {campaign or 'the platform'} was answered"


@atexit.register
def write_tally() -> None:
    """Writes the count where the run looks for it, in the end."""
    if _TALLY:
        Path(_TALLY).write_text(json.dumps(_tally))


def _told(response) -> str:
    """The answer without what it repeats of the request."""
    text = response.text
    return "" if response.status_code < 300 and MARK in str(response.request.body) else text

"""Errors over gRPC: each becomes a status with its details, and the same error again on the other side."""

import logging

import asyncpg
import msgspec
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.errors import DeadlineExceeded, Kind, OvasabiError
from ovasabi.gateway.error_registry import class_of, codes
from ovasabi.gateway.grpc.statuses import RemoteError, error_of, status_of
from ovasabi.gateway.status_codes import STATUS_CODES, Grpc, grpc_code
from ovasabi.kernel.batching.batcher import Overloaded
from ovasabi.kernel.call.errors import EntityNotFound, InvalidValue, KeyTaken

ASKED, CORRELATION = "/ovasabi.v1.Contents/Create", "correlation-1"
CLASSES = [cls for code in codes() if (cls := class_of(code.code)) is not None]


def sent(error: Exception) -> Status:
    """The status of an error as it arrives on the other side."""
    return Status.FromString(status_of(error, ASKED, CORRELATION).SerializeToString())


def details(status: Status) -> dict[str, Message]:
    """The details of a status by the names of their types."""
    kinds = {kind.DESCRIPTOR.full_name: kind for kind in (BadRequest, ErrorInfo, Help, RequestInfo, RetryInfo)}
    found = {}
    for packed in status.details:
        kind = kinds[packed.TypeName()]
        found[kind.__name__] = kind.FromString(packed.value)
    return found


def said(error: OvasabiError) -> tuple[object, ...]:
    """All that a caller sees of an error."""
    return type(error), error.code, error.kind, str(error), error.hint, error.field


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.code)
def test_an_error_comes_back_as_it_was_with_its_class_and_values(cls) -> None:
    error = cls(**cls.example)
    status = sent(error)
    again = error_of(status)
    assert said(again) == said(error)
    assert again.values == {name: str(value) for name, value in error.values.items()}
    assert status.code == grpc_code(error)
    assert said(error_of(sent(again))) == said(error)


@given(
    st.sampled_from(CLASSES),
    st.text(max_size=60),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120),
)
def test_any_words_come_back_as_they_were(cls, word, field, hint) -> None:
    word = word.encode(errors="replace").decode()
    error = cls(**dict.fromkeys(cls(**cls.example).values, word) | {"field": field, "hint": hint or "Do it."})
    assert said(error_of(sent(error))) == said(error)


def test_an_error_of_a_class_that_is_not_here_keeps_its_code_kind_and_words_over_two_processes() -> None:
    status = sent(KeyTaken(field="slug", type="voucher", key="slug"))
    info = details(status)["ErrorInfo"]
    info.metadata["code"], info.reason = "voucher_used_up", "VOUCHER_USED_UP"
    status.details[0].Pack(info)
    remote = error_of(status)
    assert type(remote) is RemoteError
    assert (remote.code, remote.kind, remote.field) == ("voucher_used_up", Kind.EXISTS, "slug")
    assert str(remote) == "Another voucher already has this slug."
    beyond = error_of(sent(remote))
    assert (said(beyond), beyond.values) == (said(remote), remote.values)
    assert RemoteError.code == "remote_error"


@pytest.mark.parametrize(
    ("code", "kind"),
    [(door.grpc, kind) for kind, door in STATUS_CODES.items()]
    + [
        (Grpc.UNKNOWN, Kind.INTERNAL),
        (Grpc.DATA_LOSS, Kind.INTERNAL),
        (Grpc.UNIMPLEMENTED, Kind.NOT_FOUND),
        (Grpc.OUT_OF_RANGE, Kind.INVALID),
        (Grpc.CANCELLED, Kind.UNAVAILABLE),
        (99, Kind.INTERNAL),
    ],
)
def test_a_status_without_our_details_is_an_error_of_its_codes_kind(code, kind) -> None:
    error = error_of(Status(code=code, message="failed to connect to all addresses"))
    assert error.kind is kind
    if code == Grpc.DEADLINE_EXCEEDED:
        assert type(error) is DeadlineExceeded
    else:
        assert (type(error), str(error)) == (RemoteError, "failed to connect to all addresses")


def test_details_of_another_domain_are_not_taken_for_ours() -> None:
    status = Status(code=Grpc.NOT_FOUND, message="no such bucket")
    status.details.add().Pack(ErrorInfo(domain="storage.example", reason="NOT_FOUND", metadata={"code": "not_found"}))
    assert type(error_of(status)) is RemoteError


def test_the_details_name_the_code_the_field_the_hint_and_the_call() -> None:
    found = details(sent(KeyTaken(field="slug", type="content", key="slug")))
    info = found["ErrorInfo"]
    assert (info.domain, info.reason) == ("ovasabi", "ALREADY_EXISTS")
    assert dict(info.metadata) == {"type": "content", "key": "slug", "code": "already_exists", "kind": "exists"}
    (violation,) = found["BadRequest"].field_violations
    assert (violation.field, violation.description) == ("slug", "Another content already has this slug.")
    (link,) = found["Help"].links
    assert (link.description, link.url) == (KeyTaken.hint, "urn:ovasabi:error:already_exists")
    assert found["RequestInfo"].request_id == CORRELATION
    assert "RetryInfo" not in found


def test_what_is_overloaded_says_when_to_try_again_and_names_no_field() -> None:
    found = details(sent(Overloaded()))
    assert found["RetryInfo"].retry_delay.seconds == 1
    assert "BadRequest" not in found


@pytest.mark.parametrize("error", [ValueError("secret"), msgspec.ValidationError("secret"), KeyError("secret")])
def test_an_unexpected_error_shows_nothing_of_its_inside_and_is_logged(error, caplog) -> None:
    with caplog.at_level(logging.ERROR, "ovasabi.gateway"):
        status = sent(error)
    assert b"secret" not in status.SerializeToString()
    assert (status.code, error_of(status).code) == (Grpc.INTERNAL, "internal")
    assert "correlation id" in str(error_of(status).hint)
    (record,) = caplog.records
    assert record.exc_info[1] is error
    assert ASKED in record.getMessage()


def test_what_a_caller_did_wrong_is_not_logged(caplog) -> None:
    sent(EntityNotFound(type="content", reference=1))
    assert caplog.records == []


def test_an_error_of_postgresql_is_told_as_over_http() -> None:
    error = asyncpg.PostgresError.new({"C": "OV001", "M": "secret", "S": "ERROR"})
    assert error_of(sent(error)).code == "append_only"


def test_values_that_the_sentence_does_not_show_stay_here() -> None:
    status = sent(EntityNotFound(type="content", reference=1, password="secret"))
    assert b"secret" not in status.SerializeToString()


@pytest.mark.parametrize("letter", ["x", "€", "\udcff"])
def test_a_status_fits_into_the_headers_however_long_the_callers_value_was(letter) -> None:
    long = letter * 100_000
    values = {f"value_{number}": long for number in range(40)}
    error = RemoteError.received(long, field=long, hint=long, values=values).with_code("x" * 63, Kind.UNAVAILABLE)
    status = status_of(error, ASKED, "c" * 100)
    in_base64 = len(status.SerializeToString()) * 4 / 3
    percent_encoded = 3 * len(status.message.encode())
    assert in_base64 + percent_encoded < 8192
    assert str(error_of(status)).endswith("…")
    assert InvalidValue(problem=long).code == error_of(status_of(InvalidValue(problem=long), ASKED, None)).code

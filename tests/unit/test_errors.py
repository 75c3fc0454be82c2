"""Every error is one class with a code of its own, a kind and a sentence."""

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator

import asyncpg
import pytest

import ovasabi
from ovasabi.errors import Kind, OvasabiError, StartError
from ovasabi.kernel.call.errors import from_postgres

for _module in pkgutil.walk_packages(ovasabi.__path__, "ovasabi."):
    if not _module.name.endswith("__main__"):
        importlib.import_module(_module.name)


def below(cls: type[OvasabiError]) -> Iterator[type[OvasabiError]]:
    """All classes below an error class that belong to the program."""
    for child in cls.__subclasses__():
        if child.__module__.startswith("ovasabi."):
            yield child
        yield from below(child)


ERRORS = sorted(set(below(OvasabiError)), key=lambda cls: (cls.__module__, cls.__name__))


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_an_error_has_a_kind_a_code_a_sentence_and_a_docstring(cls) -> None:
    assert isinstance(cls.kind, Kind)
    assert cls.code.replace("_", "a").isalnum()
    assert cls.code == cls.code.lower()
    assert cls.message
    assert cls.message == "{problem}" or cls.message.endswith(".")
    assert cls.__doc__
    assert cls.__doc__ != OvasabiError.__doc__


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_an_errors_example_fills_its_message_and_hint(cls) -> None:
    error = cls(**cls.example)
    assert all(str(cls.example[name]) in f"{error} {error.hint}" for name in cls.placeholders())
    assert "{" not in f"{error} {error.hint}"
    assert error.field == cls.example.get("field")


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_a_type_is_written_in_words_and_without_an_article_that_depends_on_it(cls) -> None:
    types = {name: "odd_step" for name in ("type", "parent") if name in cls.example}
    error = cls(**{**cls.example, **types})
    assert "odd_step" not in f"{error} {error.hint}"
    assert not types or "odd step" in f"{error} {error.hint}"
    assert not re.search(r"\ba odd step", f"{error} {error.hint}")
    assert types.items() <= error.values.items()


@pytest.mark.parametrize(
    "attributes",
    [
        {"message": "There is no {thing}."},
        {"message": "There is no {thing}.", "example": {"name": "tea"}},
        {"message": "There is no {thing}.", "example": {"thing": "tea", "more": 1}},
        {"message": "There is none.", "hint": "Make {thing}."},
    ],
)
def test_an_example_that_does_not_fill_the_places_is_refused_when_it_is_declared(attributes) -> None:
    with pytest.raises(TypeError, match="placeholders: thing"):
        type("Unfilled", (OvasabiError,), {"code": "unfilled", **attributes})


def test_an_error_that_is_retold_keeps_its_words_as_they_were() -> None:
    from ovasabi.kernel.call.errors import KeyTaken

    error = KeyTaken.received("{type} is taken", field="slug", hint=None, values={"type": "content"})
    assert isinstance(error, KeyTaken)
    assert (str(error), error.field, error.hint) == ("{type} is taken", "slug", None)
    assert (error.code, error.kind, error.values) == ("already_exists", Kind.EXISTS, {"type": "content"})


def test_what_an_error_quotes_is_bounded_and_its_ends_are_kept() -> None:
    long = f"Unknown field {'a' * 1_000_000}."
    error = StartError(problem=long, field="b" * 1_000_000, hint=long)
    for text in (str(error), error.hint):
        assert text is not None
        assert text.startswith("Unknown field a")
        assert text.endswith("a.")
        assert len(text) == 2_000
    assert error.field is not None
    assert len(error.field) == 300


def test_no_two_errors_share_a_code() -> None:
    counted = Counter(cls.code for cls in ERRORS if "code" in vars(cls))
    assert [code for code, times in counted.items() if times > 1] == []


def test_a_message_without_a_code_of_its_own_is_refused_when_it_is_declared() -> None:
    with pytest.raises(TypeError, match="no code"):
        type("Nameless", (OvasabiError,), {"message": "It failed."})


def test_a_value_with_braces_is_not_formatted_again() -> None:
    from ovasabi.kernel.call.errors import EntityNotFound, InvalidValue

    assert "{0}" in str(InvalidValue(problem="{0} {x}"))
    assert "{x}" in str(EntityNotFound(type="content", reference="{x}"))


def postgres(sqlstate: str, constraint: str | None = None) -> asyncpg.PostgresError:
    """An error as the driver makes it from the server's fields."""
    fields = {"C": sqlstate, "M": "no matter", "S": "ERROR"} | ({"n": constraint} if constraint else {})
    return asyncpg.PostgresError.new(fields)


@pytest.mark.parametrize(
    ("sqlstate", "constraint", "code"),
    [
        ("OV001", None, "append_only"),
        ("OV002", None, "lease_lost"),
        ("OV003", None, "out_of_scope"),
        ("OV004", None, "table_missing"),
        ("OV005", None, "log_arriving"),
        ("23514", None, "partition_missing"),
        ("23514", "service_product_variant_stock_check", "rule_broken"),
        ("23503", "master_key_master_fkey", "reference_missing"),
        ("40P01", None, "contended"),
        ("40001", None, "contended"),
        ("57014", None, "deadline_exceeded"),
        ("42P01", None, "table_missing"),
        ("23505", "master_key_pkey", "contended"),
        ("55P03", None, "contended"),
        ("22003", None, "invalid_value"),
        ("22021", None, "invalid_value"),
        ("54000", None, "too_large"),
        ("54023", None, "too_large"),
        ("22012", None, "invalid_value"),
        ("53100", None, "database_unavailable"),
    ],
)
def test_postgresqls_errors_are_recognised_by_sqlstate_and_constraint(sqlstate, constraint, code) -> None:
    error = from_postgres(postgres(sqlstate, constraint), "variant", "service_product_variant")
    assert error is not None
    assert error.code == code


def test_a_broken_rule_names_its_field() -> None:
    broken = postgres("23514", "service_product_variant_stock_check")
    error = from_postgres(broken, "variant", "service_product_variant")
    assert error is not None
    assert error.field == "stock"


def test_an_error_that_should_not_happen_is_not_explained_away() -> None:
    for sqlstate in ("42501", "42703", "42883", "XX000", "0A000"):
        assert from_postgres(postgres(sqlstate), "variant", "service_product_variant") is None

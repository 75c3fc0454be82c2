"""Metadata merges as RFC 7396 says, and is checked before it reaches the database."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.declare.entity import type_of
from ovasabi.kernel.declare.metadata import MAX_BYTES, MAX_DEPTH, check_metadata, derived, merge
from ovasabi.kernel.declare.names import METADATA_ROOTS
from ovasabi.services.content.entity import Content

keys = st.text(max_size=4)
plain = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))
objects = st.dictionaries(keys, values, max_size=4)

RFC_7396_APPENDIX_A = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


def under(prefix: str, value: dict) -> dict:
    """The same object with keys of a namespace of its own."""
    return {f"{prefix}{key}": inner for key, inner in value.items()}


def nulls(value) -> bool:
    """Whether a merge patch holds a null that removes something."""
    return value is None or (isinstance(value, dict) and any(nulls(inner) for inner in value.values()))


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396_APPENDIX_A)
def test_merge_gives_the_results_of_the_rfcs_appendix(target, patch, result) -> None:
    assert merge(target, patch) == result


@given(values, values)
def test_merging_the_same_patch_again_changes_nothing(target, patch) -> None:
    once = merge(target, patch)
    assert merge(once, patch) == once


@given(objects, objects, objects)
def test_patches_of_different_namespaces_merge_in_any_order(target, one, other) -> None:
    one, other = under("x", one), under("y", other)
    assert merge(merge(target, one), other) == merge(merge(target, other), one)


@given(objects, objects, objects)
def test_patches_of_different_namespaces_merge_in_any_grouping(target, one, other) -> None:
    one = {key: value for key, value in under("x", one).items() if not nulls(value)}
    other = {key: value for key, value in under("y", other).items() if not nulls(value)}
    assert merge(merge(target, one), other) == merge(target, merge(one, other))


@given(objects)
def test_an_empty_patch_changes_nothing(target) -> None:
    assert merge(target, {}) == target


@given(values, objects)
def test_merge_leaves_its_arguments_as_they_were(target, patch) -> None:
    before = repr((target, patch))
    merge(target, patch)
    assert repr((target, patch)) == before


@given(objects, st.lists(keys, max_size=4))
def test_null_removes_a_key_and_only_it(target, names) -> None:
    result = merge(target, dict.fromkeys(names))
    assert result == {key: value for key, value in target.items() if key not in names}


@pytest.mark.parametrize("root", METADATA_ROOTS)
def test_every_known_root_is_accepted(root) -> None:
    check_metadata({root: {"content": {}} if root == "service_specific" else ["x"]}, "content")


@given(st.text().filter(lambda root: root not in METADATA_ROOTS))
def test_every_other_root_is_refused(root) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_metadata({root: 1}, "content")
    assert caught.value.field == f"metadata.{root}"


def test_a_misspelt_root_gets_a_suggestion() -> None:
    with pytest.raises(InvalidValue) as caught:
        check_metadata({"tag": []}, "content")
    assert "'tags'" in str(caught.value.hint)


@pytest.mark.parametrize("namespace", ["Content", "a-b", "1a", "", "a b", "a" * 64, "ä"])
def test_a_malformed_namespace_is_refused(namespace) -> None:
    with pytest.raises(InvalidValue):
        check_metadata({"service_specific": {namespace: {}}}, "content")


@pytest.mark.parametrize("value", [[], "x", 1, True])
def test_service_specific_and_its_namespaces_must_be_objects(value) -> None:
    with pytest.raises(InvalidValue):
        check_metadata({"service_specific": value}, "content")
    with pytest.raises(InvalidValue):
        check_metadata({"service_specific": {"content": value}}, "content")


def test_a_namespace_may_be_removed_with_null() -> None:
    check_metadata({"service_specific": {"content": None}}, "content")


def test_another_services_namespace_is_refused_and_a_free_one_is_not() -> None:
    check_metadata({"service_specific": {"my_plugin": {"a": 1}, "content": {"b": 2}}}, "content")
    with pytest.raises(InvalidValue):
        check_metadata({"service_specific": {"product": {}}}, "content")


def test_metadata_takes_64_kib_and_not_a_byte_more() -> None:
    frame = len('{"tags":""}')
    check_metadata({"tags": "x" * (MAX_BYTES - frame)}, "content")
    with pytest.raises(InvalidValue):
        check_metadata({"tags": "x" * (MAX_BYTES - frame + 1)}, "content")


def test_the_limit_counts_bytes_not_characters() -> None:
    with pytest.raises(InvalidValue):
        check_metadata({"tags": "ä" * (MAX_BYTES // 2)}, "content")


@pytest.mark.parametrize(
    ("section", "wanted"), [("news", "news"), (None, None), (3, "3"), (True, "true"), (["a", 1], '["a", 1]')]
)
def test_a_hot_key_is_derived_as_text_as_the_database_does(section, wanted) -> None:
    metadata = {"service_specific": {"content": {"section": section}}}
    assert derived(type_of(Content), metadata) == {"section": wanted}


@pytest.mark.parametrize("metadata", [{}, {"service_specific": None}, {"service_specific": {"content": None}}])
def test_a_hot_key_that_is_not_there_is_null(metadata) -> None:
    assert derived(type_of(Content), metadata) == {"section": None}


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["lists", "objects"])
def test_metadata_is_nested_so_deep_and_no_deeper(wrap: Callable[[Any], Any]) -> None:
    deep: Any = "x"
    for _ in range(MAX_DEPTH - 1):
        deep = wrap(deep)
    check_metadata({"tags": deep}, "content")
    with pytest.raises(InvalidValue, match=f"nested at most {MAX_DEPTH} levels deep") as caught:
        check_metadata({"tags": wrap(deep)}, "content")
    assert caught.value.field == "metadata"

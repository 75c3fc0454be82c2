"""Texts that are indexed have a limit, in characters and in bytes, whether one is declared or not."""

from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from ovasabi.errors import DeclarationError
from ovasabi.kernel.call.errors import TooLarge
from ovasabi.kernel.declare.entity import Entity, declared, entity, type_of
from ovasabi.kernel.declare.fields import INDEXED_BYTES, Filter, FromMetadata, Search, Unique
from ovasabi.kernel.store.sizes import Sizes


@entity(plural="sample_sizes", title="label", name="sample_size")
class SizeSample(Entity, frozen=True):
    """Indexed texts of every kind."""

    label: Annotated[str, Search("A")]
    open: Annotated[str, Filter()]
    wide: Annotated[str, Meta(max_length=9000, pattern="^[a-zé]*$", description="Wide."), Unique()] | None = None
    narrow: Annotated[str, Meta(max_length=10), Filter()] = ""
    region: Annotated[str, FromMetadata("service_specific.unit.region", max_length=5)] | None = None


del declared["sample_size"]
SIZES = Sizes(type_of(SizeSample))


def accepts(kind: Any, **values: Any) -> bool:
    """Whether a request accepts a value."""
    try:
        msgspec.convert(values, kind)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize(("field", "length"), [("open", INDEXED_BYTES), ("wide", INDEXED_BYTES), ("narrow", 10)])
def test_requests_and_their_schemas_have_the_limit(field: str, length: int) -> None:
    of = type_of(SizeSample)
    for kind, others in ((of.draft, {"label": "l", "open": "o"}), (of.patch, {})):
        assert accepts(kind, **{**others, field: "a" * length})
        assert not accepts(kind, **{**others, field: "a" * (length + 1)})
        schema = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"][field]
        texts = [part for part in schema.get("anyOf", [schema]) if part.get("type") == "string"]
        assert [part["maxLength"] for part in texts] == [length]
    assert accepts(of.draft, label="l" * 9000, open="o"), "what is not indexed by its value has none"
    assert not accepts(of.draft, label="l", open="o", wide="A"), "the rest of its declaration remains"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"open": "é" * (INDEXED_BYTES // 2 + 1)}, "open"),
        ({"wide": "é" * INDEXED_BYTES}, "wide"),
        ({"wide": "a" * (INDEXED_BYTES + 1)}, "wide"),
        ({"metadata": {"service_specific": {"unit": {"region": "abcdef"}}}}, "metadata.service_specific.unit.region"),
        ({"metadata": {"service_specific": {"unit": {"region": [1, 2, 3]}}}}, "metadata.service_specific.unit.region"),
        ({"label": " ".join(f"{chr(0x20000 + n)}-{chr(0x20001 + n)}{n % 16:x}" for n in range(40_000))}, "label"),
    ],
)
def test_the_limit_is_one_of_bytes_as_well_and_names_the_field(values: dict[str, Any], field: str) -> None:
    with pytest.raises(TooLarge) as caught:
        SIZES.check(values)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"open": "é" * (INDEXED_BYTES // 2), "wide": None, "narrow": "😀" * 10},
        {"metadata": {"service_specific": {"unit": {"region": "abcde"}}, "tags": ["x" * 3000]}},
        {"metadata": {"service_specific": {"unit": None}}},
        {"label": "word " * 200_000},
    ],
)
def test_what_is_within_the_limits_passes(values: dict[str, Any]) -> None:
    SIZES.check(values)


def test_the_field_of_an_index_is_told_from_its_name() -> None:
    assert SIZES.field_of("service_unit_main_pool_2026_11_campaign_id_region_master_id_idx") == "region"
    assert SIZES.field_of("service_unit_main_pool_2026_11_campaign_id_wide_master_id_idx") == "wide"
    assert SIZES.field_of("service_unit_main_pool_2026_11_pkey") is None


@pytest.mark.parametrize("length", [0, -1, INDEXED_BYTES + 1])
def test_a_length_that_no_index_can_hold_is_refused(length: int) -> None:
    def declare() -> None:
        @entity(plural="sample_wrongs", title="label", name="sample_wrong")
        class SizeWrong(Entity, frozen=True):
            """Wrong."""

            label: str
            region: Annotated[str, FromMetadata("service_specific.unit.region", max_length=length)] | None = None

    with pytest.raises(DeclarationError, match="max_length"):
        declare()

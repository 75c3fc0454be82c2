"""Errors of products and their variants."""

from ovasabi.errors import Kind, OvasabiError, such_as


class OutOfStock(OvasabiError):
    """The requested quantity exceeds the stock."""

    kind = Kind.PRECONDITION
    code = "out_of_stock"
    message = "The quantity in stock is less than {quantity}."
    hint = "Reduce the quantity, or :restock first. The variant's `stock` field shows what is available."
    example = such_as(quantity=5, field="quantity")


class NotReserved(OvasabiError):
    """The requested quantity exceeds what is reserved."""

    kind = Kind.PRECONDITION
    code = "not_reserved"
    message = "The reserved quantity is less than {quantity}."
    hint = "Reduce the quantity, or :reserve first. The variant's `reserved` field shows what is reserved."
    example = such_as(quantity=5, field="quantity")


class ProductHasVariants(OvasabiError):
    """A product that still has variants cannot be deleted."""

    kind = Kind.PRECONDITION
    code = "product_has_variants"
    message = "The product still has variants ({count})."
    hint = "Delete the variants first, or :archive the product instead."
    example = such_as(count=3)

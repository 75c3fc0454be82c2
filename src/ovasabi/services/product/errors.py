"""What can go wrong with products and their variants."""

from ovasabi.errors import Kind, OvasabiError, such_as


class OutOfStock(OvasabiError):
    """There is less in stock than was asked for."""

    kind = Kind.PRECONDITION
    code = "out_of_stock"
    message = "There is not as much in stock as {quantity}."
    hint = "Ask for less, or :restock first; the variant's stock says how much there is."
    example = such_as(quantity=5, field="quantity")


class NotReserved(OvasabiError):
    """Less is reserved than was to be released or taken."""

    kind = Kind.PRECONDITION
    code = "not_reserved"
    message = "There is not as much reserved as {quantity}."
    hint = "Reserve it first; the variant's reserved says how much is."
    example = such_as(quantity=5, field="quantity")


class ProductHasVariants(OvasabiError):
    """A product with variants is not deleted: they would be left without one."""

    kind = Kind.PRECONDITION
    code = "product_has_variants"
    message = "The product has {count} variants."
    hint = "Delete them first, or :archive the product."
    example = such_as(count=3)

"""The rules of product."""

from ovasabi.kernel.service import Service
from ovasabi.services.product.entity import Product, Variant


class Products(Service[Product]):
    """Products."""


class Variants(Service[Variant]):
    """Variants."""

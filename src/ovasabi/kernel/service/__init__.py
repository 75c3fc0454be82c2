"""What a service is: its methods, declared once, and the operations that every entity has."""

from ovasabi.kernel.service.base import Service, declared_methods, services
from ovasabi.kernel.service.entity_service import EntityService, Found, SearchAnswer, SearchRequest
from ovasabi.kernel.service.registry import ServiceRegistry

__all__ = [
    "EntityService",
    "Found",
    "SearchAnswer",
    "SearchRequest",
    "Service",
    "ServiceRegistry",
    "declared_methods",
    "services",
]

"""Services: methods, declared once, and the operations that every entity has."""

from ovasabi.kernel.service.base import Service, declared_methods, services
from ovasabi.kernel.service.consistency import check_consistency
from ovasabi.kernel.service.entity_service import EntityService
from ovasabi.kernel.service.protocol import Entities, Found, SearchRequest, SearchResponse, Served
from ovasabi.kernel.service.registry import Elsewhere, ServiceRegistry, service_class

__all__ = [
    "Elsewhere",
    "Entities",
    "EntityService",
    "Found",
    "SearchRequest",
    "SearchResponse",
    "Served",
    "Service",
    "ServiceRegistry",
    "check_consistency",
    "declared_methods",
    "service_class",
    "services",
]

"""The catalog: providers, models, targets and prices; an immutable snapshot, swapped whole."""

from gateway.platform.catalog.catalog import Catalog
from gateway.platform.catalog.document import CatalogError
from gateway.platform.catalog.snapshot import Model, Provider, Snapshot, Target

__all__ = ["Catalog", "CatalogError", "Model", "Provider", "Snapshot", "Target"]

"""`inventory.yaml` → boards, fleets and toolchains."""

from orchestrator.inventory.file import inventory_schema
from orchestrator.inventory.load import Inventory, find_inventory, load_inventory

__all__ = ["Inventory", "find_inventory", "inventory_schema", "load_inventory"]

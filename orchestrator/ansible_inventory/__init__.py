"""An Ansible inventory (INI or YAML) → the text of an `inventory.yaml`."""

from orchestrator.ansible_inventory.importing import Imported, import_ansible

__all__ = ["Imported", "import_ansible"]

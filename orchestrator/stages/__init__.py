"""The six stages, one public function each; no stage knows another."""

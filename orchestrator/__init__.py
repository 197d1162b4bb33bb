"""Take a Hugging Face checkpoint to a measured fleet of AX650N boards."""

__version__ = "0.1.0"

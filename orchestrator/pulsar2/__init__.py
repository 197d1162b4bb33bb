"""What is known of the vendor's toolchain, as data and pure readers."""

"""What is known of boards: what speaks against one, who it is, how it is, what it could load."""

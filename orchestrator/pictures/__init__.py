"""What a model said as pictures to look at: palettes, overlays, sheets, contact sheets."""

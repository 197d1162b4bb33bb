"""What ships with orch: recipes, drawn street scenes and the small checkpoint trained on them."""

from pathlib import Path

#: A Hugging Face checkpoint, made by `scripts/train_demo_checkpoint.py`.
DEMO_CHECKPOINT = Path(__file__).parent / "segformer-tiny"

"""What a recipe file may hold: the pydantic models behind its JSON Schema."""

from orchestrator.recipe_file.boards import RunFile
from orchestrator.recipe_file.compiled import CompileFile
from orchestrator.recipe_file.fields import ImagesFile
from orchestrator.recipe_file.model import CheckpointFile, ExportFile, PreprocessFile
from orchestrator.recipe_file.whole import RecipeFile

__all__ = [
    "CheckpointFile",
    "CompileFile",
    "ExportFile",
    "ImagesFile",
    "PreprocessFile",
    "RecipeFile",
    "RunFile",
]

"""Do stored clips hold what a recipe reads of them: enough frames, enough pixels?"""

import shlex
from collections.abc import Sequence

from exo2ego.data.jsonfile import Fields
from exo2ego.data.shards import MANIFEST, ShardSet
from exo2ego.errors import InputError
from exo2ego.training.config import Recipe


def require_size(shards: Sequence[ShardSet], recipe: Recipe) -> None:
    """Raises InputError for clips that are smaller, or have fewer frames, than the recipe reads. Larger ones are fine.

    They would be enlarged, and frames repeated: a model learns from blurred pictures and is asked about sharp ones.
    """
    for folder in shards:
        clips = Fields(folder.manifest.get("clips"), f"{folder.folder / MANIFEST}: clips")
        frames, size_px = clips.integer("num_frames"), clips.integer("size_px")
        if frames < recipe.num_frames or size_px < recipe.size_px:
            wanted = f"--frames {max(frames, recipe.num_frames)} --size {max(size_px, recipe.size_px)}"
            raise InputError(
                f"{folder.folder}: its clips are {frames} frames of {size_px} px, recipe {recipe.name} reads "
                f"{recipe.num_frames} of {recipe.size_px} px; build them again, with your other flags: "
                f"{rebuild_command(folder)} {wanted} --out ANOTHER_FOLDER"
            )


def rebuild_command(shards: ShardSet) -> str:
    """The verb that makes such shards from their source, as far as their settings tell."""
    told = Fields(shards.manifest.get("settings"), f"{shards.folder / MANIFEST}: settings").data
    source, videos = (shlex.quote(str(told.get(name, name.upper()))) for name in ("source", "videos"))
    if told.get("kind") != "instructions":
        return f"exo2ego data clips --source {source}"
    if "root" in told:
        return f"exo2ego data instruct --source {source}={shlex.quote(str(told['root']))}"
    verb = "egoclip --csv" if told.get("origin") == "ego4d" else "instruct --source"
    return f"exo2ego data {verb} {source} --videos {videos}"

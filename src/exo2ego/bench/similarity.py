"""Sentence similarity of open answers: cosine of the vectors of a local sentence-transformers model.

GroundVQA reports it with all-MiniLM-L6-v2. Any folder that `sentence_transformers` loads will do, also a plain encoder
of Transformers (its word vectors are then averaged); weights must be safetensors. Nothing is downloaded.
"""

import json
from pathlib import Path
from typing import Any

from exo2ego.bench.files import read_json, write_text
from exo2ego.bench.judgements import NO_PROMPT, SIMILARITY_FILE, requests
from exo2ego.bench.judging import read_answers
from exo2ego.bench.models import folder_fingerprint
from exo2ego.data.told import Progress
from exo2ego.errors import EnvironmentUnfitError, InputError, MissingFileError

DIGITS = 6
TEXTS_AT_ONCE = 256
"""Texts embedded between two calls of `progress`."""


def similarity_run(out: Path, model_dir: Path, progress: Progress | None = None) -> tuple[str, int]:
    """Compare every answer of the run in `out` with the right one; writes `similarity.json`. `progress` as `cosines`.

    Returns the name of the model in results, and the number of answers.

    Raises:
        InputError, MissingFileError, FormatError: no run with free text, no sentence model.
        EnvironmentUnfitError: `sentence-transformers` is not installed.
    """
    items, predictions = read_answers(out)
    wanted = list(requests(items, predictions, NO_PROMPT))
    pairs = [(request.predicted, request.answer) for _, request in wanted]
    values = cosines(pairs, model_dir, progress)
    key = f"{model_dir.resolve().name}#{folder_fingerprint(model_dir)[:8]}"
    known: dict[str, Any] = read_json(out / SIMILARITY_FILE) if (out / SIMILARITY_FILE).exists() else {}
    known[key] = {
        item_id: [request.digest, round(value, DIGITS)]
        for (item_id, request), value in zip(wanted, values, strict=True)
    }
    write_text(out / SIMILARITY_FILE, json.dumps(known) + "\n")
    return key, len(wanted)


def cosines(pairs: list[tuple[str, str]], model_dir: Path, progress: Progress | None = None) -> list[float]:
    """Cosine of the two texts of each pair, -1..1; each different text is embedded once.

    `progress` is told (texts embedded, in all).

    Raises:
        MissingFileError, InputError: no such folder, or no sentence model in it.
        EnvironmentUnfitError: `sentence-transformers` is not installed.
    """
    if not (model_dir / "config.json").is_file():
        raise MissingFileError(f"--similarity {model_dir}: no sentence model there (config.json, model.safetensors)")
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise EnvironmentUnfitError(
            "sentence similarity needs sentence-transformers; pip install 'exo2ego[similarity]'"
        ) from error
    if not pairs:
        return []
    try:
        model = SentenceTransformer(
            str(model_dir), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
        )
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--similarity {model_dir}: cannot be loaded ({reason}); it needs safetensors") from error
    # Texts of like length are padded least together.
    texts = sorted({text for pair in pairs for text in pair}, key=lambda text: (len(text), text))
    vectors: list[Any] = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        part = texts[start : start + TEXTS_AT_ONCE]
        vectors.extend(model.encode(part, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False))
        if progress:
            progress(len(vectors), len(texts))
    place = {text: index for index, text in enumerate(texts)}
    return [float(vectors[place[one]] @ vectors[place[two]]) for one, two in pairs]

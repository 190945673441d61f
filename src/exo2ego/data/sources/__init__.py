"""Instruction data sets in their own files -> Conversations. The five of EgoIT stand in `SOURCES`, each a file here."""

from exo2ego.data.sources import egoexolearn, egotimeqa, egtea, openeqa, ssv2
from exo2ego.data.sources.source import Source

SOURCES: dict[str, Source] = {
    "egtea": egtea.SOURCE,
    "ssv2": ssv2.SOURCE,
    "egotimeqa": egotimeqa.SOURCE,
    "openeqa": openeqa.SOURCE,
    "egoexolearn": egoexolearn.SOURCE,
}
"""Name on the command line -> source. Each module's docstring says which files it expects and where."""

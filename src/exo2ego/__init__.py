"""exo2ego: what a video model knows from third person, used in first person (arXiv 2503.09143)."""

__version__ = "0.1.0"

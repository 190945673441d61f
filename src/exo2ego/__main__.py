"""`python -m exo2ego`, which `torchrun -m exo2ego` needs."""

from exo2ego.cli.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())

"""`exo2ego bench prompts`: what is asked, word for word."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """Print what is asked, word for word, in every protocol and style.

    Example: exo2ego bench prompts --tasks egoschema
    """

    tasks: str = "all"
    """Names of tasks, separated by commas, or all."""

    def __call__(self) -> int:
        """Print them."""
        from exo2ego.bench.prompts import STYLES
        from exo2ego.cli.bench_common import tasks_named

        for task in tasks_named(self.tasks):
            for name, protocol in task.protocols.items():
                default = ", default" if name == task.default_protocol else ""
                print(f"== {task.name}, protocol {name}{default}: {protocol.describe}")
                for style in STYLES:
                    print(f"-- style {style}\n{protocol.example(style)}\n")
        return 0

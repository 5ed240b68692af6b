"""A Dockerfile as a builder reads it."""

from __future__ import annotations

import re

Instructions = list[tuple[str, str]]


def parse(text: str) -> Instructions:
    """[(INSTRUCTION, arguments)], with comments dropped and continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines())]


def arguments(instructions: Instructions, wanted: str) -> list[str]:
    return [rest for name, rest in instructions if name == wanted]


def final_stage(instructions: Instructions) -> Instructions:
    last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[last:]

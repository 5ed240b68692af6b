"""What the documents name exists today: files, names in the source, settings, metrics, commands, options, addresses."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from cli.commands import HELP_LINES, load
from core.settings import PREFIX, variables
from tests.testing.paths import REPOSITORY
from tests.unit.packaging.documents import DOCUMENTS, ROOMS, TEST_FOLDERS, code, defines, words_of_source
from web.health.codes import Code

OF_OTHERS = frozenset({"limit_req", "UnknownIssuer", "chest_xray"})
"""Identifiers of other programs and of data sets."""
ONLY_READ_BY_SOME = frozenset({"URL", "TOKEN", "TEST_DATA"})
"""Variables of the command line and of the tests, which are no settings."""

each_document = pytest.mark.parametrize("document", DOCUMENTS)


@each_document
def test_paths_exist(document: str) -> None:
    named = {path for span in code(document) for path in re.findall(r"(?<![\w./:-])[\w.*-]+(?:/[\w.*-]+)*/?", span)}
    ours = {path for path in named if "/" in path and path.split("/")[0] in ROOMS | TEST_FOLDERS}
    gone = {
        path
        for path in ours
        if not any(any(root.glob(path.rstrip("/"))) for root in (REPOSITORY, REPOSITORY / "tests"))
    }
    assert gone == set()


@each_document
def test_links_lead_to_files_and_headings(document: str) -> None:
    links = re.findall(r"\]\((?!\w+:)([^)#]*)#?([^)]*)\)", (REPOSITORY / document).read_text(encoding="utf-8"))
    for file, anchor in links:
        target = (REPOSITORY / document).parent / file if file else REPOSITORY / document
        assert target.exists(), file
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, anchor


@each_document
def test_dotted_names_are_defined(document: str) -> None:
    dotted = {span for span in code(document) if re.fullmatch(r"[a-z_]+(\.(?!safetensors)\w+)+", span)}
    ours = {name for name in dotted if name.split(".")[0] in ROOMS and not (REPOSITORY / name).exists()}
    assert {name for name in ours if not defines(name)} == set()


@each_document
def test_identifiers_are_in_the_source(document: str) -> None:
    """Log events, codes, columns, settings, metrics and functions: whatever is written_like_this or LikeThis."""
    settings = {name.lower() for name in variables()}
    identifiers = {
        span for span in code(document) if re.fullmatch(r"_?[a-z]+(_[a-z0-9]+)+|[A-Z][a-z]+([A-Z]\w*)+", span)
    }
    known = words_of_source() | settings | OF_OTHERS
    gone = {word for word in identifiers if word.removeprefix(PREFIX.lower()) not in known}
    assert gone == set()


@each_document
def test_variables_are_settings(document: str) -> None:
    named = {name for span in code(document) for name in re.findall(rf"{PREFIX}(\w+)(?!\w|\*)", span)}
    known = variables().keys() | ONLY_READ_BY_SOME
    assert {name for name in named if name.removesuffix("_FILE") not in known} == set()


@each_document
def test_commands_and_their_options_exist(document: str) -> None:
    for span in code(document):
        if match := re.search(r"(?:^|/|\s)pneumoscreen ([a-z][^|><&;]*)", span):
            words = shlex.split(re.sub(r"[\[\]…]", " ", match[1]))
            check_command(words, span)


def check_command(words: list[str], span: str) -> None:
    assert words[0] in {name for panel in HELP_LINES.values() for name in panel}, span
    command: Any = load(words.pop(0))
    while hasattr(command, "commands") and words and re.fullmatch(r"[a-z-]+", words[0]):
        assert words[0] in command.commands, span
        command = command.commands[words.pop(0)]
    if not hasattr(command, "commands"):
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, span


@each_document
def test_programs_and_their_options_exist(document: str) -> None:
    """`make TARGET ARGS="…"` and `python -m MODULE …`: an option has to stand in the source of the program."""
    makefile = (REPOSITORY / "Makefile").read_text()
    for span in code(document):
        if match := re.match(r"make ([a-z-]+)", span):
            recipe = re.search(rf"^{match[1]}:.*\n((?:\t.*\n)*)", makefile, re.MULTILINE)
            assert recipe, span
            module = re.search(r"python -m ([\w.]+)", recipe[1])
        else:
            module = re.search(r"python -m ([\w.]+)", span)
        if module and module[1].split(".")[0] in ROOMS:
            place = REPOSITORY.joinpath(*module[1].split("."))
            files = [place.with_suffix(".py")] if not place.is_dir() else sorted(place.glob("*.py"))
            if place.name == "singles":
                files.append(place.with_name("single_waits.py"))
            source = "".join(path.read_text(encoding="utf-8") for path in files)
            assert all(f'"{option}"' in source for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", span)), span


def test_addresses_lead_somewhere(app: Flask) -> None:
    places = app.url_map.bind("localhost")
    for span in (span for document in DOCUMENTS for span in code(document)):
        match = re.fullmatch(r"(?:(GET|POST|DELETE) )?(/[a-z][^?\s]*)(\?\S*)?", span)
        if match is None or match[2].startswith(("/var/", "/etc/", "/usr/", "/run/")):
            continue
        path = re.sub(r"\{id\}", "1", match[2]).replace("<sha256>", "a" * 64)
        addresses = [path] if path == "/api/v1" else [path, f"/api/v1{path}"]
        assert path == "/api/v1" or any(leads_somewhere(places, match[1] or "GET", at) for at in addresses), span


def leads_somewhere(places: Any, method: str, path: str) -> bool:
    try:
        places.match(path, method=method)
    except RequestRedirect:
        return True
    except (NotFound, MethodNotAllowed):
        return False
    return True


def test_operators_are_told_every_code_of_a_problem() -> None:
    told = set(code("docs/deployment.md"))
    assert {problem for problem in Code if problem not in told} == set()

#!/usr/bin/env python3
"""Checks the commands of the AWS CLI in Markdown files by AWS's own models.

Usage: commands.py FILE… Prints what is wrong, and ends with 1 if anything is.

In blocks of sh each operation and option must exist, required options be given,
values that are written out be among those that the operation takes, queries be
JMESPath, and nothing that AWS's models call sensitive be given in a command, where others
can read it. Of commands in running text, only the operation is checked.
"""

import re
import shlex
import sys

import jmespath
from botocore import xform_name
from botocore.session import Session

# Options of every command, and whether a value follows.
# https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html
GLOBAL = {"--region": True, "--query": True, "--output": True, "--profile": True}
# Options of every command whose answer comes in pages.
# https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-pagination.html
PAGING = {"--max-items": True, "--page-size": True, "--starting-token": True}
# Reads other options from a file; those that are given as well go first.
# https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-skeleton.html
SKELETON = {"--cli-input-json": True}
# What belongs to the CLI alone, with its options.
# https://docs.aws.amazon.com/cli/latest/reference/login/
OWN = {
    ("login",): {"--remote": False},
    ("logout",): {},
    ("sso", "login"): {},
    ("configure", "export-credentials"): {"--format": True},
}


def option(member):
    return "--" + xform_name(member, "-")


class Models:
    """AWS's descriptions of its services, as botocore brings them."""

    def __init__(self):
        self.session = Session()
        self.services = self.session.get_available_services()

    def operation(self, service, command):
        if service not in self.services:
            return None
        model = self.session.get_service_model(service)
        names = (name for name in model.operation_names if xform_name(name, "-") == command)
        return next((model.operation_model(name) for name in names), None)

    def paginates(self, operation):
        try:
            self.session.get_paginator_model(operation.service_model.service_name).get_paginator(operation.name)
        except ValueError:
            return False
        return True


def commands(line):
    """The words of each `aws …` in a line of shell, without what surrounds it."""
    for start in re.finditer(r"\baws (?=[a-z])", line):
        lexer = shlex.shlex(line[start.end() :], posix=True, punctuation_chars="|&;()")
        lexer.whitespace_split = True
        words = []
        for word in lexer:
            if set(word) <= set("|&;()"):
                break
            words.append(word)
        yield words


def by_option(words):
    """The values of each option; those before the first option under None."""
    given, name = {}, None
    for word in words:
        if word.startswith("--"):
            name = word
            given[name] = []
        else:
            given.setdefault(name, []).append(word)
    return given


def own(words):
    """The options of a command that belongs to the CLI alone, or None."""
    return next((options for name, options in OWN.items() if tuple(words[: len(name)]) == name), None)


def problems(models, service, command="", *words):
    options = own((service, command))
    if options is not None:
        unknown = by_option((command, *words)).keys() - {**options, **GLOBAL}.keys() - {None}
        yield from (f"there is no option {name}" for name in sorted(unknown))
        return
    operation = models.operation(service, command)
    if operation is None:
        yield "no such operation"
        return
    shape = operation.input_shape
    members = {option(name): member for name, member in shape.members.items()} if shape else {}
    required = {option(name) for name in shape.required_members} if shape else set()
    given = by_option(words)
    if not given.keys() & SKELETON.keys():
        yield from (f"{name} is missing" for name in sorted(required - given.keys()))
    others = {**GLOBAL, **SKELETON, **(PAGING if models.paginates(operation) else {})}
    for name, values in given.items():
        member = members.get(name)
        if member is None and name not in others:
            yield f"there is no option {name or values[0]}"
            continue
        wants_value = others[name] if member is None else member.type_name != "boolean"
        if wants_value != bool(values):
            yield f"{name} with {len(values)} values"
        if member is not None and member.metadata.get("sensitive"):
            yield f"{name} shows a secret: give it by --cli-input-json"
        enum = getattr(member, "enum", None)
        if enum and not values[0].startswith("$") and values[0] not in enum:
            yield f"{name} takes no {values[0]}, but one of {', '.join(enum)}"
        if name == "--query":
            yield from problems_of_query(values[0])


def problems_of_query(query):
    try:
        jmespath.compile(query)
    except jmespath.exceptions.ParseError as error:
        yield f"--query {query}: {error.msg}"


def check(models, text):
    """Yields each command with what is wrong with it."""
    block = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
    for language, content in block.findall(text):
        if language == "sh":
            for line in content.replace("\\\n", " ").split("\n"):
                for words in commands(line):
                    yield words, list(problems(models, *words))
    for span in re.findall(r"`aws ([a-z-]+ [a-z-]+)[^`]*`", block.sub("", text)):
        known = own(span.split()) is not None or models.operation(*span.split())
        yield span.split(), [] if known else ["no such operation"]


def main(*files):
    models, found, count = Models(), [], 0
    for file in files:
        with open(file, encoding="utf-8") as text:
            for words, wrong in check(models, text.read()):
                count += 1
                found += [f"{file}: aws {' '.join(words[:2])}: {problem}" for problem in wrong]
    print("\n".join(found) or f"{count} commands")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

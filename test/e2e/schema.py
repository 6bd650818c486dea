#!/usr/bin/env python3
"""Validates configuration files against a JSON schema, as an editor does.

Usage: schema.py SCHEMA FILE… Prints what is wrong, and ends with 1 if anything is.
"""

import json
import sys

import yaml
from jsonschema import Draft202012Validator


class Loader(yaml.SafeLoader):
    """Reads dates as texts: only YAML before 1.2 had dates."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def problems(validator, file):
    with open(file, encoding="utf-8") as text:
        document = yaml.load(text, Loader)
    for error in validator.iter_errors({} if document is None else document):
        yield f"{file}: {error.json_path}: {error.message}"


def main(schema, *files):
    with open(schema, encoding="utf-8") as text:
        schema = json.load(text)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    found = [line for file in files for line in problems(validator, file)]
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

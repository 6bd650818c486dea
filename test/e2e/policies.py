#!/usr/bin/env python3
"""Checks IAM policies by AWS's service authorization reference.

Usage: policies.py FILE… Prints what is wrong, and ends with 1 if anything is.

Actions must exist, resources be of a type that the action has, and every condition
key be there for every action it is to decide on: a key that is never in a request
makes a condition always true or always false, and nobody notices.
"""

import json
import os
import re
import sys

import policy_sentry

# Keys that every action knows, as far as the policies use them, and those that need a principal of a kind.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL = {"aws:PrincipalArn", "aws:PrincipalOrgID", "aws:PrincipalTag/${TagKey}", "aws:MultiFactorAuthPresent", "aws:username"}


def reference():
    """The reference as policy_sentry brings it: services by their prefix."""
    path = os.path.join(os.path.dirname(policy_sentry.__file__), "shared", "data", "iam-definition.json")
    with open(path, encoding="utf-8") as text:
        return json.load(text)


def as_list(value):
    return value if isinstance(value, list) else [value]


def general(key):
    """aws:ResourceTag/team is written aws:ResourceTag/${TagKey} in the reference."""
    return re.sub(r"/.+", "/${TagKey}", key)


def keys_of(service, action):
    """The condition keys that the action knows, its own and those of its resources."""
    keys = set(GLOBAL)
    for name, resource in action["resource_types"].items():
        keys.update(resource["condition_keys"])
        keys.update(service["resources"].get(name, {}).get("condition_keys", ()))
    return keys


def problems(services, statement):
    conditions = [key for keys in statement.get("Condition", {}).values() for key in keys]
    variables = re.findall(r"\$\{([^}]+)\}", json.dumps(statement))
    for full_name in as_list(statement.get("Action", statement.get("NotAction"))):
        prefix, name = full_name.split(":")
        service = services.get(prefix, {"privileges": {}})
        action = service["privileges"].get(name)
        if action is None:
            yield f"there is no action {full_name}"
            continue
        yield from (f"{full_name} has no variable {key}" for key in variables if general(key) not in GLOBAL)
        if "NotAction" in statement:  # the conditions are about all other actions
            yield from (f"{key} is no key of every action" for key in conditions if key not in GLOBAL)
            continue
        known = keys_of(service, action)
        yield from (f"{full_name} has no condition key {key}" for key in conditions if general(key) not in known)
        types = {name for name in action["resource_types"] if name}
        for resource in as_list(statement.get("Resource", [])):  # trust policies have none
            if resource != "*" and resource.split(":")[5].split("/")[0] not in types:
                yield f"{full_name} has no resource {resource}"


def main(*files):
    services, found = reference(), []
    for file in files:
        with open(file, encoding="utf-8") as text:
            for statement in json.load(text)["Statement"]:
                found += [f"{file}: {statement['Sid']}: {problem}" for problem in problems(services, statement)]
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

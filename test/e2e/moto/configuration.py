"""Reads a configuration file as docs/configuration.md defines it."""

import re
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta

import yaml

MINUTE, HOUR, DAY = 60, 3600, 86400
UNITS = {"y": 365 * DAY, "w": 7 * DAY, "d": DAY, "h": HOUR, "m": MINUTE, "s": 1}


@dataclass(frozen=True)
class Limits:
    """In seconds."""

    max_key_age: int = 90 * DAY
    rotation_warning: int = 14 * DAY
    max_key_idle: int = 45 * DAY
    rotation_overlap: int = 7 * DAY
    setup_window: int = 15 * MINUTE

    def override(self, given):
        names = [f.name for f in fields(self)]
        return replace(self, **{n: duration(given[n]) for n in names if n in given})


class Configuration:
    def __init__(self, file=None):
        document = {}
        if file:
            with open(file, encoding="utf-8") as text:
                document = yaml.safe_load(text)
        policy = document.get("policy", {})
        default = Limits().override(policy.get("defaults", {}))
        self.classes = [(c["name"], c["match"], default.override(c)) for c in policy.get("classes", [])]
        self.classes.append(("default", {}, default))
        self.owner_tags = document.get("owner_tags", [])
        self.user_tags = document.get("user_tags", [])
        self.key_descriptions = document.get("key_descriptions", False)
        self.exemptions = document.get("exemptions", [])
        self.exemption_tag = document.get("exemption_tag")
        self.include = document.get("users", {}).get("include", [{}])
        self.exclude = document.get("users", {}).get("exclude", [])

    def class_of(self, user):
        """The name and the limits of the first class that matches."""
        return next((name, limits) for name, match, limits in self.classes if matches(match, user))

    def owner_of(self, user):
        return next(filter(None, (tag(user, key) for key in self.owner_tags)), "")

    def tag_labels(self, user):
        return {"tag_" + re.sub("[^a-zA-Z0-9_]", "_", key): tag(user, key) for key in self.user_tags}

    def hides(self, user):
        included = any(matches(m, user) for m in self.include)
        return not included or any(matches(m, user) for m in self.exclude)

    def ends(self, user, account, rules):
        """When each of the user's exemptions ends, the latest of each rule."""
        ends = {}
        own = [(e["rules"], e["until"]) for e in self.exemptions if concerns(e, user["name"], account)]
        if self.exemption_tag:
            own += from_tag(tag(user, self.exemption_tag), rules)
        for named, until in own:
            for rule in named:
                ends[rule] = max(ends.get(rule, 0), end_of(until))
        return ends

    def unmatched(self, names, account):
        """How many exemptions name none of the users."""
        return sum(not any(concerns(e, name, account) for name in names) for e in self.exemptions)


def matches(match, user):
    """Whether all conditions hold; those that are absent do."""
    return (
        glob(match.get("user_name", "*"), user["name"])
        and re.fullmatch(match.get("user_name_regexp", ".*"), user["name"]) is not None
        and glob(match.get("path", "*"), user["path"])
        and match.get("console_access", user["console"]) == user["console"]
        and all(
            has_tag(user, key) and glob(value, tag(user, key))
            for key, value in match.get("tags", {}).items()
        )
    )


def glob(pattern, text):
    """Whether the pattern matches all of the text: * is anything, ? a character."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(glob(pattern[1:], text[n:]) for n in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


def has_tag(user, key):
    return key.lower() in user["tags"]


def tag(user, key):
    """The value of the user's tag; empty without one. Keys have no case in IAM."""
    return user["tags"].get(key.lower(), "")


def concerns(exemption, name, account):
    return exemption["user"] == name and str(exemption.get("account", account)) == account


def from_tag(value, rules):
    """[(rules, last day)] of an exemption tag, [] if it cannot be read: rules,
    "until", the last day, a reason."""
    found = re.fullmatch(r"\s*(\S.*?)\s+until\s+(\d{4}-\d\d-\d\d)\s+\S.*", value, re.DOTALL)
    if not found:
        return []
    named = found[1].split()
    try:
        until = date.fromisoformat(found[2])
    except ValueError:
        return []
    return [(named, until)] if set(named) <= set(rules) and len(set(named)) == len(named) else []


def end_of(last_day):
    """The Unix time at which the day ends in UTC."""
    begin = datetime(last_day.year, last_day.month, last_day.day, tzinfo=UTC)
    return int((begin + timedelta(days=1)).timestamp())


def duration(text):
    """The seconds of a duration such as 1w3d."""
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)([ywdhms])", text))

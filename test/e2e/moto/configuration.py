"""Reads a configuration file as docs/configuration.md defines it."""

import re
from dataclasses import dataclass, field, fields, replace
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
    max_password_idle: int = 45 * DAY
    rotation_overlap: int = 7 * DAY
    setup_window: int = 15 * MINUTE

    def override(self, given):
        names = [f.name for f in fields(self)]
        return replace(self, **{n: duration(given[n]) for n in names if n in given})


@dataclass(frozen=True)
class Account:
    """An account of the list, or of the organization. Its tags are by keys in lower case."""

    id: str
    name: str = ""
    tags: dict = field(default_factory=dict)
    role: str | None = None  # an ARN; without one, it is the account of the caller's credentials
    external_id: str | None = None
    source: str | None = None
    state: str = ""  # in the organization
    units: tuple = ()  # the ids of the root and of the units that it is in
    ou_path: str = ""  # as it is shown

    @classmethod
    def read(cls, given, defaults):
        given = {**defaults, **given}
        number = str(given["id"])
        role = given.get("role")
        if role and not role.startswith("arn:"):
            role = f"arn:aws:iam::{number}:role/{role.removeprefix('/')}"
        tags = {key.lower(): str(value) for key, value in given.get("tags", {}).items()}
        return cls(number, given.get("name", ""), tags, role, given.get("external_id"), given.get("source"))


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
        self.account_tags = document.get("account_tags", [])
        defaults = document.get("account_defaults", {})
        self.accounts = [Account.read(given, defaults) for given in document.get("accounts", [])]
        self.defaults = defaults
        self.organization = document.get("organization")

    def watched(self, told):
        """The account of the organization that is told of, or None if it is not watched:
        a dict of its id, name, state, tags and units, which are (id, name) from the root on."""
        included = self.organization.get("include", [{}])
        excluded = self.organization.get("exclude", [])
        if not any(selects(m, told) for m in included) or any(selects(m, told) for m in excluded):
            return None
        overrides = self.organization.get("overrides", [])
        given = next((o for o in overrides if str(o["id"]) == told["id"]), {})
        defaults = {**self.defaults, "name": told["name"], "tags": told["tags"]}
        account = Account.read({"id": told["id"], **given}, defaults)
        shown = [self.shown(*unit) for unit in told["units"]]
        units = tuple(unit for unit, _ in told["units"])
        return replace(account, state=told["state"], units=units, ou_path="/".join(shown))

    def shown(self, unit, name):
        named = self.organization.get("ou_names") and unit.startswith("ou-")
        return name if named and name and "/" not in name else unit

    def class_of(self, user):
        """The name and the limits of the first class that matches."""
        return next((name, limits) for name, match, limits in self.classes if matches(match, user))

    def owner_of(self, user):
        """The user's own owner, or else the account's."""
        owners = (tag(has, key) for has in (user["tags"], user["account"].tags) for key in self.owner_tags)
        return next(filter(None, owners), "")

    def tag_labels(self, user):
        return labels(user["tags"], self.user_tags)

    def account_labels(self, account):
        return labels(account.tags, self.account_tags)

    def hides(self, user):
        included = any(matches(m, user) for m in self.include)
        return not included or any(matches(m, user) for m in self.exclude)

    def ends(self, user, rules):
        """When each of the user's exemptions ends, the latest of each rule."""
        ends = {}
        own = [
            (e["rules"], e["until"])
            for e in self.exemptions
            if concerns(e, user["name"], user["account"].id)
        ]
        if self.exemption_tag:
            own += from_tag(tag(user["tags"], self.exemption_tag), rules)
        for named, until in own:
            for rule in named:
                ends[rule] = max(ends.get(rule, 0), end_of(until))
        return ends

    def unmatched(self, users):
        """How many exemptions concern none of the users, (name, account id) each,
        without those for accounts of which nobody is read."""
        read = {account for _, account in users}
        ours = [e for e in self.exemptions if str(e.get("account", "")) in read | {""}]
        return sum(not any(concerns(e, *user) for user in users) for e in ours)


def matches(match, user):
    """Whether all conditions hold; those that are absent do."""
    return (
        glob(match.get("user_name", "*"), user["name"])
        and re.fullmatch(match.get("user_name_regexp", ".*"), user["name"]) is not None
        and glob(match.get("path", "*"), user["path"])
        and match.get("console_access", user["console"]) == user["console"]
        and match_tags(match.get("tags", {}), user["tags"])
        and matches_account(match, user["account"])
    )


def matches_account(match, account):
    """Whether the conditions about the account hold. A name that is not given
    matches nothing."""
    return (
        str(match.get("account_id", account.id)) == account.id
        and match_tags(match.get("account_tags", {}), account.tags)
        and ("account_ou" not in match or match["account_ou"] in account.units)
        and ("account_name" not in match or (account.name and glob(match["account_name"], account.name)))
    )


def selects(match, told):
    """Whether all conditions of an include or exclude hold."""
    return (
        str(match.get("id", told["id"])) == told["id"]
        and glob(match.get("name", "*"), told["name"])
        and ("ou" not in match or match["ou"] in [unit for unit, _ in told["units"]])
        and match_tags(match.get("tags", {}), {key.lower(): value for key, value in told["tags"].items()})
    )


def match_tags(wanted, tags):
    return all(key.lower() in tags and glob(value, tag(tags, key)) for key, value in wanted.items())


def labels(tags, keys):
    return {"tag_" + re.sub("[^a-zA-Z0-9_]", "_", key): tag(tags, key) for key in keys}


def glob(pattern, text):
    """Whether the pattern matches all of the text: * is anything, ? a character."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(glob(pattern[1:], text[n:]) for n in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


def tag(tags, key):
    """The value of the tag; empty without one. Keys have no case in IAM."""
    return tags.get(key.lower(), "")


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

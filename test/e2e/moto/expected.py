#!/usr/bin/env python3
"""Prints the samples that aws_iam_exporter must serve for an IAM endpoint.

Written from the definitions in docs/, sharing no code with the exporter, and
judging with whole-second integers. Reads the endpoint named by
AWS_ENDPOINT_URL and prints {source: [{"name": …, "labels": {…}, "value": …}, …]}.
If the configuration lists accounts, or has an organization, each is read by its role,
and from its own source if it has one.
"""

import argparse
import collections
import csv
import itertools
import json
import sys
import time
from datetime import datetime

import boto3
from configuration import Account, Configuration

ROOT = "<root_account>"
PARTITION = "aws"
DAY = 86400
MARGIN = 1800
STATUSES = ("active", "inactive", "expired")
VERDICTS = ("compliant", "violation", "exempted", "unknown")
RULES = (
    "multiple_active_keys",
    "console_user_with_active_keys",
    "key_created_at_user_setup",
    "console_key_never_used",
    "key_rotation",
    "key_rotation_due",
    "key_unused",
    "root_access_key",
    "console_user_without_mfa",
    "password_unused",
    "root_user_without_mfa",
)
BANDS = (  # name, greatest age in it
    ("0-30d", 30 * DAY),
    ("30-45d", 45 * DAY),
    ("45-90d", 90 * DAY),
    ("90-180d", 180 * DAY),
    ("180-365d", 365 * DAY),
    ("1-2y", 2 * 365 * DAY),
    ("2-5y", 5 * 365 * DAY),
    ("5y+", float("inf")),
)


# --- Reading -----------------------------------------------------------------
# Readers return (users, root) as plain dicts; None is unknown, a "used"
# of 0 is known to be never.


def read(iam, sources):
    """Returns (users, root) of each source, asking once for what several need."""
    facts = {}
    if {"auto", "live"} & set(sources):
        facts["live"] = read_live(iam)
    if {"auto", "report"} & set(sources):
        facts["report"] = read_report(iam)
    if "auto" in sources:
        facts["auto"] = merge(facts["live"], facts["report"])
    return {source: facts[source] for source in sources}


def read_live(iam):
    users = []
    for u in pages(iam, "list_users", "Users"):
        name = u["UserName"]
        profile = login_profile(iam, name)
        users.append(
            {
                "name": name,
                "arn": u["Arn"],
                "path": u["Path"],
                "created": seconds(u["CreateDate"]),
                "console": profile is not None,
                "password_created": profile,
                "password_changed": None,  # no call tells
                "password_used": seconds(u.get("PasswordLastUsed")),
                "mfa": bool(pages(iam, "list_mfa_devices", "MFADevices", UserName=name)),
                "keys": live_keys(iam, name),
                "slots_full": False,
            }
        )
    return users, live_root(iam.get_account_summary()["SummaryMap"])


def live_root(summary):
    """Root as the summary tells it: whether there are keys, not which."""
    present = bool(summary["AccountAccessKeysPresent"])
    return {
        "present": present,
        "keys": None if present else [],
        "console": bool(summary["AccountPasswordPresent"]),
        "mfa": bool(summary["AccountMFAEnabled"]),
        "created": None,
        "password_used": None,
    }


def live_keys(iam, name):
    keys = []
    for k in pages(iam, "list_access_keys", "AccessKeyMetadata", UserName=name):
        used = iam.get_access_key_last_used(AccessKeyId=k["AccessKeyId"])["AccessKeyLastUsed"]
        keys.append(
            {
                "id": k["AccessKeyId"],
                "status": k["Status"].lower(),
                "created": seconds(k["CreateDate"]),
                "used": seconds(used.get("LastUsedDate")) or 0,
                "region": known(used["Region"]),
                "service": known(used["ServiceName"]),
            }
        )
    return keys


def login_profile(iam, name):
    """The creation of the user's password, or None if there is no password."""
    try:
        return seconds(iam.get_login_profile(UserName=name)["LoginProfile"]["CreateDate"])
    except iam.exceptions.NoSuchEntityException:
        return None


def read_report(iam):
    while iam.generate_credential_report()["State"] != "COMPLETE":
        time.sleep(0.2)
    text = iam.get_credential_report()["Content"].decode()
    rows = {row["user"]: report_user(row) for row in csv.DictReader(text.splitlines())}
    root = rows.pop(ROOT)
    return list(rows.values()), {**root, "present": bool(root["keys"])}


def report_user(row):
    arn = row["arn"]
    keys = [k for k in (report_key(row, "1"), report_key(row, "2")) if k]
    return {
        "name": row["user"],
        "arn": arn,
        "path": "/" + arn.partition("/")[2].removesuffix(row["user"]),
        "created": parse(row["user_creation_time"]),
        "console": row["password_enabled"] == "true",
        "password_created": None,
        "password_changed": parse(row["password_last_changed"]),
        "password_used": parse(row["password_last_used"]),
        "mfa": row["mfa_active"] == "true",
        "keys": name_keys(keys),
        "slots_full": len(keys) == 2 and "additional_credentials_info" not in row,
    }


def report_key(row, slot):
    column = f"access_key_{slot}_"
    created = parse(row[column + "last_rotated"])
    if created is None:
        return None
    return {
        "status": "active" if row[column + "active"] == "true" else "inactive",
        "created": created,
        "used": parse(row[column + "last_used_date"]) or 0,
        "region": known(row[column + "last_used_region"]),
        "service": known(row[column + "last_used_service"]),
    }


def name_keys(keys):
    """Names keys by their creation. Ties get the suffixes -a and -b: the active
    key comes first. Nothing tells two of one status apart, since slots mean
    nothing: a use that differs is not known of either."""
    keys.sort(key=lambda k: (k["created"], k["status"]))
    for a, b in itertools.pairwise(keys):
        same = all(a[name] == b[name] for name in ("created", "status"))
        if same and any(a[name] != b[name] for name in ("used", "region", "service")):
            a["used"] = b["used"] = None
    stamps = [time.strftime("created-%Y-%m-%dT%H:%M:%SZ", time.gmtime(k["created"])) for k in keys]
    tie = len(set(stamps)) < len(stamps)
    for k, stamp, suffix in zip(keys, stamps, ("-a", "-b"), strict=False):
        k["id"] = stamp + suffix if tie else stamp
    return keys


def merge(live, report):
    """Live users and keys; root and the passwords' last changes from the report. A
    live password's creation is known only for users who are asked live: those whom
    a rule about passwords accuses. Where that is password_unused alone, it says
    nothing that the last change does not."""
    changed = {u["name"]: u["password_changed"] for u in report[0]}
    users = []
    for u in live[0]:
        created = u["password_created"] if active_keys(u) or not u["mfa"] else None
        users.append({**u, "password_created": created, "password_changed": changed[u["name"]]})
    return users, report[1]


def pages(iam, operation, field, **arguments):
    paginator = iam.get_paginator(operation).paginate(**arguments)
    return [item for page in paginator for item in page[field]]


def seconds(t):
    return None if t is None else int(t.timestamp())


def parse(text):
    try:
        return seconds(datetime.fromisoformat(text))
    except ValueError:  # N/A, no_information
        return None


def known(text):
    return "" if text == "N/A" else text


def read_tags(iam):
    """The tags of each user, by their keys in lower case. One of the exporter's
    runs reads them in the other way."""
    details = pages(iam, "get_account_authorization_details", "UserDetailList", Filter=["User"])
    return {d["UserName"]: {t["Key"].lower(): t["Value"] for t in d.get("Tags", [])} for d in details}


# --- Judging -----------------------------------------------------------------
# No verdict may hang on how long the tests take.


def before(deadline, as_of):
    if abs(deadline - as_of) < MARGIN:
        sys.exit(f"a deadline at {deadline}, {as_of - deadline} seconds ago, is too close to judge")
    return deadline < as_of


def active_keys(user):
    return sorted((k for k in user["keys"] if k["status"] == "active"), key=lambda k: k["created"])


def judge_user(user, limits, as_of):
    """Yields (rule, violation, since) for each rule about the user."""
    active = active_keys(user)
    console, since_password = user["console"], user["password_created"] or 0
    overlap = overlap_deadline(active, limits)
    yield "multiple_active_keys", overlap is not None and before(overlap, as_of), overlap
    flagged = console and bool(active)
    since = max(active[0]["created"], since_password) if active else None
    yield "console_user_with_active_keys", flagged, since
    since = user["password_created"] or user["created"]
    yield "console_user_without_mfa", console and not user["mfa"], since
    idle = password_deadline(user, limits)
    yield "password_unused", idle is not None and before(idle, as_of), idle


def judge_key(user, key, limits, as_of):
    """Yields (rule, violation, since) for each rule about the active key; a
    violation of None is unknown."""
    console, used = user["console"], key["used"]
    since = max(key["created"], user["password_created"] or 0)
    yield "key_created_at_user_setup", console and at_setup(user, key, limits), since
    yield "console_key_never_used", None if console and used is None else console and not used, since
    deadline = key["created"] + limits.max_key_age
    due = deadline - limits.rotation_warning
    yield "key_rotation", before(deadline, as_of), deadline
    yield "key_rotation_due", before(due, as_of) and not before(deadline, as_of), due
    idle = (used or key["created"]) + limits.max_key_idle
    idled = before(idle, as_of)
    yield "key_unused", None if idled and used is None else idled, idle


def judge_root(root):
    """Yields (rule, verdict, since): presence of keys alone is no verdict, absence is."""
    active = active_keys(root) if root["keys"] is not None else None
    verdict = "unknown" if active is None else "violation" if active else "compliant"
    yield "root_access_key", verdict, active[0]["created"] if active else None
    open_to_all = root["console"] and not root["mfa"]
    yield "root_user_without_mfa", "violation" if open_to_all else "compliant", root["created"]


def overlap_deadline(active, limits):
    return active[1]["created"] + limits.rotation_overlap if len(active) >= 2 else None


def password_deadline(user, limits):
    """When the password will have gone unused for too long; None without one. Known
    times of its creation, change and use all put that off."""
    if not user["console"]:
        return None
    times = (user["password_created"], user["password_changed"], user["password_used"])
    return max(t for t in times if t is not None) + limits.max_password_idle


def at_setup(user, key, limits):
    return key["created"] <= user["created"] + limits.setup_window


# --- Writing -----------------------------------------------------------------


class Samples:
    def __init__(self):
        self.list = []

    def add(self, name, value, **labels):
        labels = {k: v for k, v in labels.items() if v != ""}
        self.list.append({"name": "aws_iam_" + name, "labels": labels, "value": float(value)})


class AccountSamples:
    def __init__(self, out, account):
        self.out = out
        self.account = account
        self.verdicts = collections.Counter()

    def add(self, name, value, **labels):
        self.out.add(name, value, **labels, account_id=self.account.id)


class Subject:
    """Writes about one user, unless the user is hidden, and counts the verdicts."""

    def __init__(self, out, user, configuration, as_of):
        self.out = out
        self.user = user
        self.as_of = as_of
        self.label, self.limits = configuration.class_of(user)
        self.owner = configuration.owner_of(user)
        self.hidden = configuration.hides(user)
        self.ends = configuration.ends(user, RULES)

    def add(self, name, value, **labels):
        if not self.hidden:
            self.out.add(name, value, user_name=self.user["name"], **labels)

    def verdict(self, rule, violation, since, **key):
        verdict = {None: "unknown", True: "violation", False: "compliant"}[violation]
        if violation and self.ends.get(rule, 0) > self.as_of:
            verdict = "exempted"
        self.out.verdicts[self.label, rule, verdict] += 1
        if verdict == "violation":
            self.add("finding_since_timestamp_seconds", since, rule=rule, user_owner=self.owner, **key)


def write_user(subject, configuration):
    user, limits = subject.user, subject.limits
    active = active_keys(user)
    labels = {"class": subject.label, "user_owner": subject.owner, **configuration.tag_labels(user)}
    subject.add("user_info", 1, arn=user["arn"], path=user["path"], **labels)
    subject.add("user_created_timestamp_seconds", user["created"])
    for status in STATUSES:
        n = sum(k["status"] == status for k in user["keys"])
        subject.add("user_access_keys", n, status=status)
    subject.add("user_console_access", user["console"])
    subject.add("user_console_access_with_active_keys", user["console"] and bool(active))
    if user["console"]:
        subject.add("user_mfa_enabled", user["mfa"])
        if user["password_used"] is not None:
            subject.add("user_password_last_used_timestamp_seconds", user["password_used"])
        idle = password_deadline(user, limits)
        subject.add("user_password_unused_deadline_timestamp_seconds", idle)
    if deadline := overlap_deadline(active, limits):
        subject.add("user_rotation_overlap_deadline_timestamp_seconds", deadline)
    for rule, violation, since in judge_user(user, limits, subject.as_of):
        subject.verdict(rule, violation, since)
    for rule, end in subject.ends.items():
        subject.add("exemption_expiry_timestamp_seconds", end, rule=rule)
    for key in user["keys"]:
        write_key(subject, key)
        if configuration.key_descriptions and not key["id"].startswith("created-"):
            text = user["tags"].get(key["id"].lower(), "")
            subject.add("access_key_info", 1, access_key_id=key["id"], description=text)


def write_key(subject, key):
    user, limits = subject.user, subject.limits
    label = {"access_key_id": key["id"]}
    active = key["status"] == "active"
    subject.add("access_key_active", active, **label)
    subject.add("access_key_created_timestamp_seconds", key["created"], **label)
    subject.add("access_key_age_seconds", subject.as_of - key["created"], **label)
    if key["used"] is not None:
        subject.add("access_key_used", key["used"] > 0, **label)
    subject.add("access_key_created_at_user_setup", at_setup(user, key, limits), **label)
    if key["used"]:
        subject.add("access_key_last_used_timestamp_seconds", key["used"], **label)
        place = {"service": key["service"], "region": key["region"]}
        subject.add("access_key_last_used_info", 1, **label, **place)
    if not active:
        return
    deadline = key["created"] + limits.max_key_age
    idle = (key["used"] or key["created"]) + limits.max_key_idle
    subject.add("access_key_rotation_deadline_timestamp_seconds", deadline, **label)
    if key["used"] is not None:
        subject.add("access_key_unused_deadline_timestamp_seconds", idle, **label)
    for rule, violation, since in judge_key(user, key, limits, subject.as_of):
        subject.verdict(rule, violation, since, **label)


def write_root(out, root, configuration, as_of):
    user = {"name": ROOT, "tags": {}, "account": out.account}
    ends = configuration.ends(user, RULES)
    out.add("root_access_key_present", root["present"])
    for rule, verdict, since in judge_root(root):
        end = ends.get(rule, 0)
        if verdict == "violation" and end > as_of:
            verdict = "exempted"
        out.verdicts[ROOT, rule, verdict] += 1
        labels = {"rule": rule, "user_name": ROOT}
        if verdict == "violation":
            owner = configuration.owner_of(user)
            out.add("finding_since_timestamp_seconds", since, user_owner=owner, **labels)
        if end:
            out.add("exemption_expiry_timestamp_seconds", end, **labels)
    out.add("root_console_access", root["console"])
    if root["console"] or root["mfa"]:
        out.add("root_mfa_enabled", root["mfa"])
    if root["password_used"] is not None:
        out.add("root_password_last_used_timestamp_seconds", root["password_used"])
    if root["keys"] is None:
        return
    for status in STATUSES:
        out.add("root_access_keys", sum(k["status"] == status for k in root["keys"]), status=status)
    if created := max((k["created"] for k in active_keys(root)), default=0):
        out.add("root_access_key_created_timestamp_seconds", created)
    if used := max((k["used"] for k in root["keys"]), default=0):
        out.add("root_access_key_last_used_timestamp_seconds", used)


def write_info(out, alias, configuration):
    account = out.account
    labels = configuration.account_labels(account) | {"ou_path": account.ou_path, "state": account.state}
    labels["account_owner"] = configuration.owner_of({"name": ROOT, "tags": {}, "account": account})
    out.add("account_info", 1, account_name=account.name or alias, partition=PARTITION, **labels)


def write_account(out, users, alias, configuration, as_of):
    write_info(out, alias, configuration)
    out.add("account_up", 1)
    out.add("account_users", len(users))
    out.add("account_console_users", sum(u["console"] for u in users))
    counts = collections.Counter(min(len(active_keys(u)), 2) for u in users)
    for n, label in enumerate(("0", "1", "2+")):
        out.add("account_users_by_active_keys", counts[n], active_keys=label)
    out.add("account_users_by_active_keys", 0, active_keys="unknown")
    out.add("account_unread_users", 0)  # once everything is known
    maybe = sum(u["slots_full"] for u in users)
    out.add("account_users_maybe_more_keys", maybe)
    keys = [k for u in users for k in u["keys"]]
    if all(k["used"] is not None for k in keys):
        never = sum(not k["used"] for u in users for k in active_keys(u))
        out.add("account_never_used_access_keys", never)
    bands = collections.Counter((k["status"], band(as_of - k["created"])) for k in keys)
    for status in STATUSES:
        for name, _ in BANDS:
            out.add("account_access_keys", bands[status, name], status=status, age_band=name)
    for rule in RULES:
        for verdict in VERDICTS:
            n = sum(n for (_, *key), n in out.verdicts.items() if key == [rule, verdict])
            out.add("account_verdicts", n, rule=rule, verdict=verdict)


def band(age):
    return next(name for name, upper in BANDS if age <= upper)


def write_policy(out, users, configuration):
    for name, _, limits in configuration.classes:
        for limit, seconds in vars(limits).items():
            out.add(f"policy_{limit}_seconds", seconds, **{"class": name})
    out.add("exporter_exemptions_unmatched", configuration.unmatched(users))


def check_coverage(counted, configuration):
    """Refuses to expect less than every verdict about every class of a file."""
    verdicts = ("compliant", "violation", "exempted") if configuration.exemptions else ()
    seen = {(label, verdict) for label, _, verdict in counted}
    labels = [name for name, _, _ in configuration.classes]
    missing = set(itertools.product(labels, verdicts)) - seen
    if missing:
        sys.exit(f"the users of the simulator leave out {sorted(missing)}")


def write(out, account, users, root, alias, configuration, as_of):
    """Writes about one account, and returns how often there is each verdict."""
    own = AccountSamples(out, account)
    for user in users:
        write_user(Subject(own, user, configuration, as_of), configuration)
    write_root(own, root, configuration, as_of)
    own.add("account_hidden_users", sum(configuration.hides(user) for user in users))
    write_account(own, users, alias, configuration, as_of)
    return own.verdicts


def samples(source, facts, unread, configuration, as_of):
    """Returns all samples if accounts without a source of their own have this one."""
    out, everybody, counted = Samples(), [], collections.Counter()
    for account in unread:
        write_info(AccountSamples(out, account), "", configuration)
    for account, alias, by_source in facts:
        users, root = by_source[account.source or source]
        counted += write(out, account, users, root, alias, configuration, as_of)
        everybody += [(name, account.id) for name in (ROOT, *(user["name"] for user in users))]
    write_policy(out, everybody, configuration)
    check_coverage(counted, configuration)
    return out.list


def session(account):
    """Returns a session in the account; None stands for the caller's."""
    if account is None or account.role is None:
        return boto3.Session()
    given = {"ExternalId": account.external_id} if account.external_id else {}
    sts = boto3.client("sts")
    keys = sts.assume_role(RoleArn=account.role, RoleSessionName="expected", **given)["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def read_account(account, sources):
    """Returns the account, its alias and its facts by source."""
    caller = session(account)
    identity = caller.client("sts").get_caller_identity()["Account"]
    account = account or Account(identity)
    if account.id != identity:
        sys.exit(f"the session in account {account.id} is one in {identity}")
    iam = caller.client("iam")
    tags = read_tags(iam)
    facts = read(iam, {account.source} if account.source else sources)
    for users, _ in facts.values():
        for user in users:
            user.update(tags=tags[user["name"]], account=account)
    alias = next(iter(iam.list_account_aliases()["AccountAliases"]), "")
    return account, alias, facts


def read_organization(configuration):
    """Returns the accounts to watch. Where they are is asked about each: ListAccounts
    says it, too, but that is what the exporter goes by."""
    client = boto3.client("organizations")
    watched = []
    for a in pages(client, "list_accounts", "Accounts"):
        told = {
            "id": a["Id"],
            "name": a["Name"],
            "state": a["State"].lower(),
            "units": units_above(client, a["Id"]),
            "tags": {t["Key"]: t["Value"] for t in pages(client, "list_tags_for_resource", "Tags", ResourceId=a["Id"])},
        }
        watched.append(configuration.watched(told))
    return list(filter(None, watched))


def units_above(client, child):
    """Returns (id, name) of the root and of each unit that the child is in."""
    (parent,) = client.list_parents(ChildId=child)["Parents"]
    if parent["Type"] == "ROOT":
        return [(parent["Id"], "")]
    unit = client.describe_organizational_unit(OrganizationalUnitId=parent["Id"])
    return [*units_above(client, parent["Id"]), (parent["Id"], unit["OrganizationalUnit"]["Name"])]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, nargs="+", choices=("auto", "report", "live"))
    parser.add_argument("--config", help="the exporter's configuration file")
    parser.add_argument("--as-of", type=int, default=int(time.time()), help="Unix time of judgement")
    args = parser.parse_args()
    configuration = Configuration(args.config)
    accounts, unread = configuration.accounts or [None], []
    if configuration.organization:
        found = read_organization(configuration)
        accounts = [account for account in found if account.state == "active"]
        unread = [account for account in found if account.state != "active"]
    facts = [read_account(account, args.source) for account in accounts]
    expected = {s: samples(s, facts, unread, configuration, args.as_of) for s in args.source}
    print(json.dumps(expected))


if __name__ == "__main__":
    main()

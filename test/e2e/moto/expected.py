#!/usr/bin/env python3
"""Prints the samples that aws_iam_exporter must serve for an IAM endpoint.

Written from the definitions in docs/, sharing no code with the exporter, and
judging with whole-second integers. Reads the endpoint named by
AWS_ENDPOINT_URL and prints [{"name": …, "labels": {…}, "value": …}, …].
"""

import argparse
import collections
import csv
import json
import time
from datetime import datetime

import boto3

ROOT = "<root_account>"
PARTITION = "aws"
DAY = 86400
MAX_AGE, DUE, MAX_IDLE, OVERLAP, SETUP = 90 * DAY, 14 * DAY, 45 * DAY, 7 * DAY, 15 * 60
STATUSES = ("active", "inactive", "expired")
VERDICTS = ("compliant", "breach", "exempted", "unknown")
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
# Both readers return (users, root) as plain dicts; None is unknown, a "used"
# of 0 is known to be never.


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
                "password_used": seconds(u.get("PasswordLastUsed")),
                "mfa": bool(pages(iam, "list_mfa_devices", "MFADevices", UserName=name)),
                "keys": live_keys(iam, name),
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
    return {
        "name": row["user"],
        "arn": arn,
        "path": "/" + arn.partition("/")[2].removesuffix(row["user"]),
        "created": parse(row["user_creation_time"]),
        "console": row["password_enabled"] == "true",
        "password_created": None,
        "password_used": parse(row["password_last_used"]),
        "mfa": row["mfa_active"] == "true",
        "keys": name_keys([k for k in (report_key(row, "1"), report_key(row, "2")) if k]),
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
    key comes first, then the one used earlier, since slots mean nothing."""
    keys.sort(key=lambda k: (k["created"], k["status"], k["used"]))
    stamps = [time.strftime("created-%Y-%m-%dT%H:%M:%SZ", time.gmtime(k["created"])) for k in keys]
    tie = len(set(stamps)) < len(stamps)
    for k, stamp, suffix in zip(keys, stamps, ("-a", "-b"), strict=False):
        k["id"] = stamp + suffix if tie else stamp
    return keys


def read_auto(iam):
    """Live users and keys; root from the report. A live password's creation is
    known only for users who are asked live: the flagged ones."""
    users, _ = read_live(iam)
    for user in users:
        if not active_keys(user):
            user["password_created"] = None
    return users, read_report(iam)[1]


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


# --- Judging -----------------------------------------------------------------


def active_keys(user):
    return sorted((k for k in user["keys"] if k["status"] == "active"), key=lambda k: k["created"])


def judge_user(user, as_of):
    """Yields (rule, breach, since) for each rule about the user."""
    active = active_keys(user)
    console, since_password = user["console"], user["password_created"] or 0
    overlap = active[-1]["created"] + OVERLAP if len(active) >= 2 else None
    yield "multiple_active_keys", overlap is not None and overlap < as_of, overlap
    flagged = console and bool(active)
    since = max(active[0]["created"], since_password) if active else None
    yield "console_user_with_active_keys", flagged, since
    since = user["password_created"] or user["created"]
    yield "console_user_without_mfa", console and not user["mfa"], since


def judge_key(user, key, as_of):
    """Yields (rule, breach, since) for each rule about the active key."""
    console = user["console"]
    since = max(key["created"], user["password_created"] or 0)
    yield "key_created_at_user_setup", console and at_setup(user, key), since
    yield "console_key_never_used", console and not key["used"], since
    deadline = key["created"] + MAX_AGE
    yield "key_rotation", deadline < as_of, deadline
    yield "key_rotation_due", deadline - DUE < as_of <= deadline, deadline - DUE
    idle = (key["used"] or key["created"]) + MAX_IDLE
    yield "key_unused", idle < as_of, idle


def judge_root(root):
    """Returns (verdict, since): presence alone is no verdict, absence is."""
    if root["keys"] is None:
        return "unknown", None
    active = active_keys(root)
    return ("breach", active[0]["created"]) if active else ("compliant", None)


def at_setup(user, key):
    return key["created"] <= user["created"] + SETUP


# --- Writing -----------------------------------------------------------------


class Samples:
    def __init__(self, account):
        self.account = account
        self.list = []
        self.verdicts = collections.Counter()

    def add(self, name, value, **labels):
        labels = {k: v for k, v in labels.items() if v != ""}
        labels["account_id"] = self.account
        self.list.append({"name": "aws_iam_" + name, "labels": labels, "value": float(value)})

    def verdict(self, rule, breach, since, **subject):
        self.verdicts[rule, "breach" if breach else "compliant"] += 1
        if breach:
            self.add("finding_since_timestamp_seconds", since, rule=rule, **subject)


def write_user(out, user, as_of):
    name = user["name"]
    active = active_keys(user)
    out.add("user_info", 1, user_name=name, arn=user["arn"], path=user["path"], **{"class": "default"})
    out.add("user_created_timestamp_seconds", user["created"], user_name=name)
    for status in STATUSES:
        n = sum(k["status"] == status for k in user["keys"])
        out.add("user_access_keys", n, user_name=name, status=status)
    out.add("user_console_access", user["console"], user_name=name)
    flagged = user["console"] and bool(active)
    out.add("user_console_access_with_active_keys", flagged, user_name=name)
    if user["console"]:
        out.add("user_mfa_enabled", user["mfa"], user_name=name)
        if user["password_used"] is not None:
            used = user["password_used"]
            out.add("user_password_last_used_timestamp_seconds", used, user_name=name)
    if len(active) >= 2:
        deadline = active[-1]["created"] + OVERLAP
        out.add("user_rotation_overlap_deadline_timestamp_seconds", deadline, user_name=name)
    for rule, breach, since in judge_user(user, as_of):
        out.verdict(rule, breach, since, user_name=name)
    for key in user["keys"]:
        write_key(out, user, key, as_of)


def write_key(out, user, key, as_of):
    subject = {"user_name": user["name"], "access_key_id": key["id"]}
    active = key["status"] == "active"
    out.add("access_key_active", active, **subject)
    out.add("access_key_created_timestamp_seconds", key["created"], **subject)
    out.add("access_key_age_seconds", as_of - key["created"], **subject)
    out.add("access_key_used", key["used"] > 0, **subject)
    out.add("access_key_created_at_user_setup", at_setup(user, key), **subject)
    if key["used"]:
        out.add("access_key_last_used_timestamp_seconds", key["used"], **subject)
        place = {"service": key["service"], "region": key["region"]}
        out.add("access_key_last_used_info", 1, **subject, **place)
    if not active:
        return
    deadline, idle = key["created"] + MAX_AGE, (key["used"] or key["created"]) + MAX_IDLE
    out.add("access_key_rotation_deadline_timestamp_seconds", deadline, **subject)
    out.add("access_key_unused_deadline_timestamp_seconds", idle, **subject)
    for rule, breach, since in judge_key(user, key, as_of):
        out.verdict(rule, breach, since, **subject)


def write_root(out, root):
    out.add("root_access_key_present", root["present"])
    verdict, since = judge_root(root)
    out.verdicts["root_access_key", verdict] += 1
    if verdict == "breach":
        rule = {"rule": "root_access_key", "user_name": ROOT}
        out.add("finding_since_timestamp_seconds", since, **rule)
    out.add("root_console_access", root["console"])
    if root["console"] or root["mfa"]:
        out.add("root_mfa_enabled", root["mfa"])
    if root["password_used"] is not None:
        out.add("root_password_last_used_timestamp_seconds", root["password_used"])
    if root["keys"] is None:
        return
    for status in STATUSES:
        out.add("root_access_keys", sum(k["status"] == status for k in root["keys"]), status=status)
    if used := max((k["used"] for k in root["keys"]), default=0):
        out.add("root_access_key_last_used_timestamp_seconds", used)


def write_account(out, users, as_of):
    out.add("account_info", 1, partition=PARTITION)
    out.add("account_up", 1)
    out.add("account_users", len(users))
    out.add("account_console_users", sum(u["console"] for u in users))
    counts = collections.Counter(min(len(active_keys(u)), 2) for u in users)
    for n, label in enumerate(("0", "1", "2+")):
        out.add("account_users_by_active_keys", counts[n], active_keys=label)
    out.add("account_users_by_active_keys", 0, active_keys="unknown")
    never = sum(not k["used"] for u in users for k in active_keys(u))
    out.add("account_never_used_access_keys", never)
    keys = [k for u in users for k in u["keys"]]
    bands = collections.Counter((k["status"], band(as_of - k["created"])) for k in keys)
    for status in STATUSES:
        for name, _ in BANDS:
            out.add("account_access_keys", bands[status, name], status=status, age_band=name)
    for rule in RULES:
        for verdict in VERDICTS:
            n = out.verdicts[rule, verdict]
            out.add("account_verdicts", n, rule=rule, verdict=verdict)


def band(age):
    return next(name for name, upper in BANDS if age <= upper)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, choices=("auto", "report", "live"))
    parser.add_argument("--as-of", type=int, default=int(time.time()), help="Unix time of judgement")
    args = parser.parse_args()
    read = {"auto": read_auto, "report": read_report, "live": read_live}[args.source]
    users, root = read(boto3.client("iam"))
    out = Samples(boto3.client("sts").get_caller_identity()["Account"])
    for user in users:
        write_user(out, user, args.as_of)
    write_root(out, root)
    write_account(out, users, args.as_of)
    print(json.dumps(out.list))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Serves moto's IAM, STS and Organizations on 127.0.0.1, filled with users of known ages.

moto stamps whatever is created through its API with the present time, so the
users are put straight into its backend, with creation dates of up to seven
years ago. Their tags are what ../configuration.yml asks for. With --accounts there are
several accounts, with some of those users in each, and roles to reach them by, as
../accounts.yml names them. With --organization they are those of an organization, as
../organization.yml takes it to be. Where moto's answers differ from those of AWS in ways
that matter to a reader of access keys, they are mended here (see mend, mend_organizations and guard).
"""

import argparse
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from xml.sax.saxutils import escape

from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.core.responses import ActionResult, BaseResponse
from moto.iam.models import AccessKeyLastUsed, IAMBackend, MFADevice, User, iam_backends
from moto.iam.responses import IamResponse
from moto.organizations.models import FakeAccount, organizations_backends
from moto.organizations.responses import OrganizationsResponse
from moto.server import main as serve
from moto.sts.models import AssumedRole, sts_backends
from moto.sts.responses import TokenResponse

ROOT = "<root_account>"

# No age lies within an hour of a limit, nor of one of ../configuration.yml, so the
# verdicts hold for the whole run; expected.py refuses to judge otherwise.
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EDGE = 2 * HOUR
AGES = [
    HOUR,
    *(d * DAY + side for d in (7, 30, 45, 76, 90, 180, 365, 730, 1825) for side in (-EDGE, EDGE)),
    *(d * DAY for d in (60, 1000, 2500)),
]
# How long after its user a key was made; the setup window is 15 minutes, inclusive.
SETUP = [0 * HOUR, timedelta(minutes=15), timedelta(minutes=15, seconds=1), 40 * DAY]
USES = [None, HOUR, 45 * DAY - EDGE, 45 * DAY + EDGE, 700 * DAY]
PLACES = [("s3", "N/A"), ("iam", "us-east-1"), ("ec2", "eu-west-1")]
KEYS = [
    [],
    ["Active"],
    ["Inactive"],
    ["Active", "Active"],
    ["Active", "Inactive"],
    ["Inactive", "Inactive"],
]

# What follows is spread by prime numbers, so that all of it meets all of the
# combinations above, more or less.
PREFIXES = ["ci", "ci", "cd", "svc", *["user"] * 7]
OWNERS = [
    {"Owner": "Alice"},
    {"Owner": "", "team": "platform"},
    {"team": "no owner"},
    {"Owner": "no owner", "team": "platform"},
    {},
    {"owner": "bob@example.com", "Team": "shop"},  # case tells no keys apart
    {"Owner": ""},
]
KINDS = ["robot", "robot", "Robot", "", "service/web", "service/batch/2", *[None] * 7]
# IAM allows letters, numbers and separators of every script, but no quotes: these
# are letters that look like them, and a separator of lines.
COSTS = ["4711 ʼÄrzteʼ ʺСклад=ʺ/東京", "", None, "a+b:c@d_e-f.g  h", "two\u2028lines\u00a0"]
EXEMPTIONS = [
    "key_rotation until 2099-12-31 vendor cannot rotate yet",
    "multiple_active_keys console_user_with_active_keys  key_unused until 2099-06-30 ʼfreezeʼ",
    "key_created_at_user_setup console_key_never_used until 2099-06-30 made by the old script",
    "key_rotation_due console_user_without_mfa password_unused until 2098-02-28 token ordered",
    "key_rotation multiple_active_keys until 2020-02-29 lapsed on a leap day",
    *[None] * 12,
]
UNREADABLE_EXEMPTIONS = [
    "key_rotation",
    "key_rotation until 2099-12-31",
    "key_rotation until 2099-02-29 no such day",
    "until 2099-12-31 everything",
    "all until 2099-12-31 everything",
    "key_rotation key_rotation until 2099-12-31 twice",
]


@dataclass(frozen=True)
class Member:
    """An account that is reached by a role, and every how many-th user it has."""

    account: str
    every: int
    role: str
    external_id: str | None
    alias: str | None = None


# Users of one name have other facts in other accounts, because each account
# numbers its own. One has more users than fit a page, and one has none but the Bobs.
HUB_EVERY = 61
HUB_ALIAS = "the-hub"
INITIAL_ROLE = f"arn:aws:iam::{ACCOUNT}:role/exporter/initial"
MEMBERS = [
    Member("012345678901", 8, "audit/aws-iam-exporter", "One/for:all=1", "prod-by-alias"),
    Member("111122223333", 47, "legacy-audit", "its_own+id@2", "only-an-alias"),
    Member("222233334444", 41, "audit/aws-iam-exporter", "One/for:all=1"),
    Member("333344445555", 53, "audit/aws-iam-exporter", "One/for:all=1"),
    Member("444455556666", 10**6, "audit/deep/er/no-id", None),
]


@dataclass(frozen=True)
class Listed:
    """An account as its organization tells of it."""

    account: str
    name: str
    unit: str
    tags: dict[str, str]
    closed: bool = False


# Units by their ids: each one's name, and what it is in.
ROOT_UNIT = "r-ab12"
UNITS = {
    "ou-ab12-prod1234": ("Production", ROOT_UNIT),
    "ou-ab12-shop1234": ("Shop/Web", "ou-ab12-prod1234"),
    "ou-ab12-sand1234": ("Sand & Gravel", ROOT_UNIT),
    "ou-ab12-clos1234": ("Closing", ROOT_UNIT),
}
# The hub and the members come first; of the others, nobody may ever read a user.
ORGANIZATION = [
    Listed(ACCOUNT, "hub", ROOT_UNIT, {"Owner": "security", "Stage": "prod"}),
    Listed("012345678901", "production", "ou-ab12-prod1234", {"team": "web & <shop>", "cost-center": "4711", "Stage": "prod"}),
    Listed("111122223333", "legacy", "ou-ab12-shop1234", {"Stage": "test", "team": "overridden"}),
    Listed("222233334444", "sandbox", "ou-ab12-sand1234", {"cost-center": ""}),
    Listed("333344445555", "größe ✓", "ou-ab12-sand1234", {"STAGE": "test"}),
    Listed("444455556666", "tiny", ROOT_UNIT, {}),
    Listed("555566667777", "of-others", "ou-ab12-prod1234", {}),
    Listed("666677778888", "winding-up", "ou-ab12-clos1234", {"Stage": "test"}),
    Listed("777788889999", "sand-off", ROOT_UNIT, {"Stage": "off"}),
    Listed("888899990000", "sand-web", "ou-ab12-sand1234", {"team": "web"}),
    Listed("999900001111", "unasked-for", ROOT_UNIT, {"Stage": "prod"}),
    Listed("000011112222", "sand-of-old", "ou-ab12-sand1234", {"Stage": "test"}, closed=True),
]


def seed(backend: IAMBackend, now: datetime, first: int = 0, every: int = 1) -> None:
    """Adds every combination of password, keys, path and MFA at every age, or some."""
    combinations = itertools.product(AGES, (False, True), KEYS, ("/", "/team/sub/"), (False, True))
    some = itertools.islice(combinations, first, None, every)
    for n, (age, password, statuses, path, mfa) in enumerate(some):
        name = f"{PREFIXES[n % 11]}-{n:04d}"
        user = add_user(backend, name, path, now - age - SETUP[n // 5 % 4])
        if password:
            set_password(user, n, now)
        elif n % 9 == 0:
            user.password_last_used = user.create_date  # outlives a deleted password
        for slot, status in enumerate(statuses):
            # Every seventh pair shares its second of creation; else the second
            # key is made later, and comes first in every third list.
            later = timedelta() if n % 7 == 0 else slot * (age / 3)
            add_key(backend, user, status, now - age + later, USES[(n + slot) % 5], n + slot, now)
        if n % 3 == 0:
            user.access_keys.reverse()
        if mfa:
            serial = f"arn:aws:iam::{backend.account_id}:mfa/{user.name}"
            user.mfa_devices[serial] = MFADevice(serial, "123456", "654321")
        tag(backend, user, n)
    # Names that are prefixes of each other, in another order than created.
    for name in ("bobby", "bob.b@example.com", "Bob-B", "bob"):
        user = add_user(backend, name, "/", now - 100 * DAY)
        add_key(backend, user, "Active", user.create_date, None, 0, now)


def add_user(backend: IAMBackend, name: str, path: str, created: datetime) -> User:
    user = backend.create_user("us-east-1", name, path)
    user.create_date = created
    user.password_created = None
    return user


def tag(backend: IAMBackend, user: User, n: int) -> None:
    """Gives the user tags, and an inline policy that nobody must ever see."""
    tags = OWNERS[n % 7] | {
        "kind": KINDS[n % 13],
        "cost-center": COSTS[n % 5],
        "iam-exporter-exempt": UNREADABLE_EXEMPTIONS[n % 6] if n % 29 == 0 else EXEMPTIONS[n % 17],
        "privacy": "hidden" if n % 23 == 0 else None,
        "Grün:Code": f"{n}²" if n % 19 == 0 else None,
    }
    for slot, key in enumerate(user.access_keys):  # AWS keeps their descriptions so
        tags[key.access_key_id] = [f"deploys shop {n}/{slot}", "", None][(n + slot) % 3]
    given = [{"Key": k, "Value": v} for k, v in tags.items() if v is not None]
    backend.tag_user(user.name, given)
    user.policies["inline"] = '{"Sid":"OnlyForTheEyesOfIAM"}'


def set_password(user: User, n: int, now: datetime) -> None:
    user.password = "never-used"
    user.password_created = user.create_date + (now - user.create_date) / (1 + n % 3)
    user.password_created = user.password_created.replace(microsecond=0)
    # What was changed since is younger than any limit, or older than some.
    ago = {0: 20 * DAY, 1: 46 * DAY}.get(n % 5)
    changed = max(user.password_created, now - ago) if ago else user.password_created
    user.password_changed = changed.replace(microsecond=0)
    if n % 4:
        user.password_last_used = user.password_created


def add_key(
    backend: IAMBackend,
    user: User,
    status: str,
    created: datetime,
    used_ago: timedelta | None,
    n: int,
    now: datetime,
) -> None:
    key = backend.create_access_key(user.name, status=status)
    key.create_date = created.replace(microsecond=0)
    if used_ago is not None:
        service, region = PLACES[n % 3]
        used = max(now - used_ago, key.create_date)
        key.last_used = AccessKeyLastUsed(used, service, region)


def mend(now: datetime) -> None:
    """Makes moto answer like AWS where the difference matters.

    moto's report is always from 2015, has no row for root and no region nor
    service of a key's last use; its ListUsers tells tags, which AWS's does not;
    ListUsers and GetAccountAuthorizationDetails know no pages; its passwords are
    as old as their users, and were changed when these were made; and its root user has neither keys nor a password.
    """
    generated: dict[str, datetime] = {}

    def generate(self: IamResponse) -> ActionResult:
        state = "COMPLETE" if self.backend.report_generated() else "STARTED"
        generated[self.current_account] = datetime.now(UTC).replace(microsecond=0)
        self.backend.generate_report()
        return ActionResult({"State": state})

    def get_report(self: IamResponse) -> ActionResult:
        header, *rows = self.backend.get_credential_report().splitlines()
        root = root_row(header.split(","), self.current_account, now)
        rows = sorted((mend_row(row, self.backend) for row in rows), key=str.lower)
        content = "\n".join([header, root, *rows])
        made = generated.get(self.current_account, now)
        return ActionResult({"Content": content, "ReportFormat": "text/csv", "GeneratedTime": made})

    def page_of_users(self: IamResponse) -> tuple[list[User], dict[str, Any]]:
        users = sorted(self.backend.users.values(), key=lambda u: u.name.lower())
        start = int(self._get_param("Marker") or 0)
        end = start + int(self._get_param("MaxItems") or 100)
        more = {"IsTruncated": True, "Marker": str(end)} if end < len(users) else {"IsTruncated": False}
        return users[start:end], more

    def list_users(self: IamResponse) -> ActionResult:
        users, more = page_of_users(self)
        return ActionResult({"Users": [listed(user) for user in users], **more})

    def get_account_authorization_details(self: IamResponse) -> ActionResult:
        if self._get_param("Filter") != ["User"]:
            raise ValueError("the exporter reads users and nothing else")
        users, more = page_of_users(self)
        return ActionResult({"UserDetailList": users, **more})

    def get_login_profile(self: IamResponse) -> ActionResult:
        user = self.backend.get_login_profile(self._get_param("UserName"))
        profile = {
            "UserName": user.name,
            "CreateDate": user.password_created or user.create_date,
            "PasswordResetRequired": False,
        }
        return ActionResult({"LoginProfile": profile})

    def get_account_summary(self: IamResponse) -> ActionResult:
        summary = self.backend.get_account_summary().summary_map
        # The device came after the report.
        root = {"AccountPasswordPresent": 1, "AccountAccessKeysPresent": 1, "AccountMFAEnabled": 1}
        return ActionResult({"SummaryMap": {**summary, **root}})

    IamResponse.generate_credential_report = generate
    IamResponse.get_credential_report = get_report
    IamResponse.list_users = list_users
    IamResponse.get_account_authorization_details = get_account_authorization_details
    IamResponse.get_account_summary = get_account_summary
    IamResponse.get_login_profile = get_login_profile


# The exporter's calls are those with this key, or of sessions of this name.
EXPORTERS_KEY, EXPORTERS_SESSION = "AKIAOFTHEEXPORTER000", "aws_iam_exporter"


def guard(policies: dict[str, Any]) -> None:
    """Makes moto deny what AWS would deny.

    moto lets anybody assume any role with any external id, even in a suspended account,
    and allows a session what its session policy does not. Policies say what the exporter
    is allowed: its own key as the caller, the initial role as the hub, and the others
    as members. Without one, it may do everything.
    """

    def may_call_iam(self: BaseResponse, session: AssumedRole | None) -> bool:
        any_user = f"arn:aws:iam::{self.current_account}:user/any"
        return may(self, session, "iam", any_user)

    def may_call_sts(self: BaseResponse, session: AssumedRole | None) -> bool:
        if self._get_action() != "AssumeRole":
            return self._get_action() == "GetCallerIdentity"
        role, external_id = (self.querystring.get(name, [None])[0] for name in ("RoleArn", "ExternalId"))
        return trusts(role, external_id) and may(self, session, "sts", role)

    def may_call_organizations(self: BaseResponse, session: AssumedRole | None) -> bool:
        return may(self, session, "organizations", "any")

    def may(self: BaseResponse, session: AssumedRole | None, service: str, resource: str) -> bool:
        given = [json.loads(session.policy)] if session and session.policy else []
        if session and session.session_name == EXPORTERS_SESSION:
            given.append(policies.get("hub" if session.role_arn == INITIAL_ROLE else "member"))
        elif self.get_access_key() == EXPORTERS_KEY:
            given.append(policies.get("caller"))
        return all(allows(policy, f"{service}:{self._get_action()}", resource) for policy in given if policy)

    deny_unless(IamResponse, "iam", may_call_iam)
    deny_unless(TokenResponse, "sts", may_call_sts)
    deny_unless(OrganizationsResponse, "organizations", may_call_organizations)


def trusts(role: str, external_id: str | None) -> bool:
    """Whether the role, an ARN, is there and asks for no other external id. Every other
    account of the organization, whenever it was created, has the role that most have."""
    external_ids = {f"arn:aws:iam::{m.account}:role/{m.role}": m.external_id for m in MEMBERS}
    external_ids[INITIAL_ROLE] = None
    for account in organizations_backends[ACCOUNT]["aws"].accounts:
        if account.id not in (ACCOUNT, *(m.account for m in MEMBERS)):
            external_ids[f"arn:aws:iam::{account.id}:role/{MEMBERS[0].role}"] = MEMBERS[0].external_id
        if account.state != "ACTIVE" and f"::{account.id}:" in role:
            return False
    return role in external_ids and external_ids[role] in (None, external_id)


DENIAL = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{}</Message></Error>"
    "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
)


def deny_unless(
    responses: type[BaseResponse], service: str, may: Callable[[BaseResponse, AssumedRole | None], bool]
) -> None:
    """Has the service answer calls that may not be made as AWS does."""
    call = responses.call_action

    def call_if_allowed(self: BaseResponse) -> Any:
        backend = sts_backends[self.current_account]["aws"]
        session = backend.get_assumed_role_from_access_key(self.get_access_key())
        if may(self, session):
            return call(self)
        caller = session.arn if session else f"arn:aws:iam::{self.current_account}:user/moto"
        message = f"User: {caller} is not authorized to perform: {service}:{self._get_action()}"
        if role := self.querystring.get("RoleArn"):
            message += f" on resource: {role[0]}"
        if service == "organizations":
            body = json.dumps({"__type": "AccessDeniedException", "Message": message})
            return 400, {"status": 400, "Content-Type": "application/x-amz-json-1.1"}, body
        return 403, {"status": 403, "Content-Type": "text/xml"}, DENIAL.format(escape(message))

    responses.call_action = call_if_allowed


def allows(policy: dict[str, Any], action: str, resource: str) -> bool:
    """Whether the policy names the action on the resource."""
    for statement in policy["Statement"]:
        named = statement["Resource"]
        resources = [named] if isinstance(named, str) else named
        if action in statement["Action"] and any(fnmatchcase(resource, r) for r in resources):
            return True
    return False


def listed(user: User) -> dict[str, Any]:
    """The user as ListUsers tells it: without tags."""
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.create_date,
        "PasswordLastUsed": user.password_last_used,
    }


def mend_row(row: str, backend: IAMBackend) -> str:
    fields = row.split(",")
    user = backend.users[fields[0]]
    fields[4] = "N/A" if fields[4] == "not_supported" else fields[4]
    fields[5] = stamp(user.password_changed) if user.password else "N/A"
    fields[6] = "N/A"
    for slot in range(2):
        key = user.access_keys[slot] if slot < len(user.access_keys) else None
        place = 11 + 5 * slot
        used = key.last_used if key else None
        fields[place] = used.region if used else "N/A"
        fields[place + 1] = used.service if used else "N/A"
    return ",".join(fields)


def root_row(columns: list[str], account: str, now: datetime) -> str:
    """A root user with a password, without MFA, with an active and an inactive key.
    No two accounts have one of the same age."""
    created = now - (3000 + int(account) % 97) * DAY
    known = {
        "user": ROOT,
        "arn": f"arn:aws:iam::{account}:root",
        "user_creation_time": stamp(created),
        "password_enabled": "true",
        "password_last_used": stamp(now - 3 * DAY),
        "password_last_changed": stamp(created),
        "mfa_active": "false",
        "access_key_1_active": "true",
        "access_key_1_last_rotated": stamp(created + 10 * DAY),
        "access_key_1_last_used_date": stamp(now - 5 * DAY),
        "access_key_1_last_used_region": "us-east-1",
        "access_key_1_last_used_service": "iam",
        "access_key_2_active": "false",
        "access_key_2_last_rotated": stamp(created + DAY),
        "cert_1_active": "false",
        "cert_2_active": "false",
    }
    return ",".join(known.get(column, "N/A") for column in columns)


def stamp(t: datetime) -> str:
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def seed_members(now: datetime, fewer: int) -> None:
    for n, member in enumerate(MEMBERS):
        backend = iam_backends[member.account]["aws"]
        seed(backend, now, n + 1, member.every * fewer)
        if member.alias:
            backend.create_account_alias(member.alias)


def seed_organization(now: datetime) -> None:
    """Makes the organization. moto itself would choose all ids."""
    backend = organizations_backends[ACCOUNT]["aws"]
    backend.create_organization("us-east-1")
    root, management = backend.ou[0], backend.accounts[0]
    backend.org.root_id = root.id = ROOT_UNIT
    for unit, (name, parent) in UNITS.items():
        backend.create_organizational_unit(Name=name, ParentId=parent)
        backend.ou[-1].id = unit
    for n, told in enumerate(ORGANIZATION):
        if told.account == ACCOUNT:
            account = management
        else:
            account = FakeAccount(backend.org, AccountName=told.name, Email="")
            account.id = told.account
            backend.accounts.append(account)
        account.name, account.parent_id, account.tags = told.name, told.unit, dict(told.tags)
        account.email = f"owner-{n}@only-for-aws.example"
        account.create_time = now.replace(tzinfo=None) - (100 - n) * DAY  # which the pages are ordered by
        organizations_backends.master_accounts[account.id] = ACCOUNT, "aws"
        if told.closed:
            account.close()


def mend_organizations() -> None:
    """Has ListAccounts tell where accounts are, which moto does not."""
    describe = FakeAccount.describe

    def describe_with_paths(self: FakeAccount) -> dict[str, Any]:
        backend = organizations_backends[self.master_account_id]["aws"]
        path = f"{self.id}/"
        parent = self.parent_id
        while parent:
            path = f"{parent}/{path}"
            parent = next(unit.parent_id for unit in backend.ou if unit.id == parent)
        return {**describe(self), "Paths": [f"{self.organization_id}/{path}"]}

    FakeAccount.describe = describe_with_paths


def read_policies(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    with open(file, encoding="utf-8") as text:
        return json.load(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", required=True)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--empty", action="store_true", help="plain moto: no users, nothing mended")
    what.add_argument("--accounts", action="store_true", help="several accounts, each with fewer users")
    what.add_argument("--organization", action="store_true", help="the same accounts with fewer users, and others, in an organization")
    parser.add_argument("--no-users", action="store_true", help="with --accounts: all but the first have nobody")
    parser.add_argument("--policies", help="JSON file of what the exporter may do, as caller, hub and member")
    args = parser.parse_args()
    several = args.accounts or args.organization
    if not args.empty:
        now = datetime.now(UTC).replace(microsecond=0)
        hub = iam_backends[ACCOUNT]["aws"]
        hub.create_account_alias(HUB_ALIAS)
        seed(hub, now, every=HUB_EVERY if several else 1)
        mend(now)
    if args.organization:
        seed_organization(now)
        mend_organizations()
    if several:
        if not args.no_users:
            seed_members(now, fewer=3 if args.organization else 1)
        guard(read_policies(args.policies))
    serve(["--host", "127.0.0.1", "--port", args.port])


if __name__ == "__main__":
    main()

"""Administrative commands about people: roles, undelivered mail, the audit log.

Another part of the table in `commands`, of the same form.
"""

from typing import Any

import msgspec

from gateway.platform.accounts.accounts import Role
from gateway.platform.accounts.roles import ROLES
from gateway.platform.assembly import Platform
from gateway.platform.audit import Entry, Head
from gateway.platform.refusals import Refusal
from gateway.web.admin.reports import MAX_LISTED, shown_time
from gateway.web.console.letters import Letters
from gateway.web.hosts import base_url


class NewRole(msgspec.Struct, forbid_unknown_fields=True):
    """An account's address and the role it gets."""

    email: str
    role: str


class AuditPage(msgspec.Struct, forbid_unknown_fields=True):
    """The rows behind a number, in their order."""

    after: int = 0
    limit: int = 1_000


class AuditHead(msgspec.Struct, forbid_unknown_fields=True):
    """A head that was exported earlier, to be found in the chain."""

    head: str | None = None


async def accounts_role(platform: Platform, p: NewRole) -> Any:
    """Give an account another role; it signs in anew."""
    account = platform.accounts.named(p.email)
    role: Role | None = next((each for each in ROLES if each == p.role), None)
    if role is None:
        raise Refusal(f"a role is one of {', '.join(ROLES)}, not {p.role[:40]!r}")
    await platform.accounts.set_role(account, role)
    await platform.people.sessions.revoke_all(account)
    return {"email": account.email, "id": account.id, "role": account.role}


async def mail_list(platform: Platform, _: Any) -> Any:
    """Letters that wait, failed, or could only be shown, with their links."""
    settings = platform.settings
    url = settings.server_public_url or base_url(settings.server_host, settings.server_port)
    letters = Letters(url)
    return [
        {
            "id": shown.id,
            "kind": shown.letter.kind,
            "to": shown.letter.to,
            "state": shown.state,
            "attempts": shown.attempts,
            "error": shown.error,
            "created": shown_time(shown.created_us),
            "link": letters.write(shown.letter).link or None,
        }
        for shown in await platform.people.mail.undelivered()
    ]


async def audit_export(platform: Platform, p: AuditPage) -> Any:
    """Rows of the audit log in their order, and the head they lead to."""
    rows = await platform.people.audit.page(p.after, max(1, min(p.limit, MAX_LISTED)))
    head = Head(rows[-1].seq, rows[-1].digest) if rows else await platform.people.audit.head()
    return {"rows": [_entry(row) for row in rows], "head": str(head)}


async def audit_verify(platform: Platform, p: AuditHead) -> Any:
    """Recompute the chain of the audit log."""
    exported = Head.parse(p.head) if p.head is not None else None
    report = await platform.people.audit.verify(exported)
    return {
        "ok": not report.findings,
        "rows": report.rows,
        "head": str(report.head),
        "findings": report.findings,
    }


def _entry(row: Entry) -> dict[str, Any]:
    return {
        **row._asdict(),
        "digest": row.digest.hex(),
        "at": shown_time(row.at_us),
    }

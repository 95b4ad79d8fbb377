"""Invitations: a letter with a link that makes the owner of its address a member, for a while.

Only the account of the invited address can accept, so a forwarded or guessed link lets nobody in.
Who invites learns nothing of whether the address has an account. An invitation ends when it is
accepted, declined, withdrawn, or LIFETIME_US old; whoever gave it must still be entitled to when
it is accepted. How many letters one account may cause, and one mailbox get, is bounded.
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.accounts import Account
from gateway.platform.accounts.accounts import normal_email
from gateway.platform.accounts.guesses import Guesses, Visit
from gateway.platform.accounts.sessions import DAY_US, MAX_TOKEN, Sessions, token_digest
from gateway.platform.mail import Letter
from gateway.platform.organisations.checks import check_limit
from gateway.platform.organisations.members import Organisation
from gateway.platform.organisations.organisations import Organisations
from gateway.platform.organisations.parts import PARTS, Part, check_part, check_reach
from gateway.platform.people import People
from gateway.platform.refusals import Problem, Refusal
from gateway.store.database import Database
from gateway.store.schema.organisations import organisation_invitations
from gateway.store.secrets import Secrets

LIFETIME_US: Final = 7 * DAY_US
MAX_WAITING: Final = 100  # of one organisation
TABLE: Final = "organisation_invitations"
_columns = organisation_invitations.c


class Invitation(NamedTuple):
    """One that waits. Times in epoch microseconds."""

    id: str
    organisation: Organisation
    email: str
    part: Part
    monthly_limit_microusd: int | None
    invited_by: Account
    created_us: int
    expires_us: int


class Invitations:
    """Gives, lists, takes and withdraws them."""

    def __init__(
        self,
        database: Database,
        people: People,
        organisations: Organisations,
        secrets: Secrets,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._database = database
        self._people = people
        self._organisations = organisations
        self._secrets = secrets
        self._clock = clock
        self._ids = ids
        self._sessions: Sessions = people.sessions
        self._guesses: Guesses = people.guesses

    async def invite(
        self,
        by: Account,
        organisation: Organisation,
        email: str,
        part: Part = "member",
        monthly_limit_microusd: int | None = None,
        visit: Visit | None = None,
    ) -> Invitation:
        """Queue the letter. An invitation of the same address before it gives way.

        Raises Problem for what is no address, Refusal, TooManyAttempts.
        """
        visit = visit or Visit()
        if part not in PARTS:
            raise Refusal("there is no such part in an organisation")
        check_limit(monthly_limit_microusd)
        check_reach(organisation.part_of(by), None, part)
        try:
            address = normal_email(email)
        except Refusal:
            raise Problem("email", "malformed") from None
        if any(each.account.email == address for each in organisation.members.values()):
            raise Problem("email", "member")
        await self._guesses.take("invite", by.id, by, visit)
        await self._guesses.take("invited", address, None, visit)
        token = self._sessions.new_token()
        account = self._people.accounts.find(address)
        now_us = self._clock.now_us()
        row = {
            "id": self._ids.make("inv"),
            "organisation_no": organisation.account.no,
            "digest": token_digest(token),
            "address_digest": self._secrets.address_digest(address.encode()),
            "role": part,
            "monthly_limit_microusd": monthly_limit_microusd,
            "invited_by": by.no,
            "created_us": now_us,
            "expires_us": now_us + LIFETIME_US,
        }
        sealed = self._secrets.seal(address, table=TABLE, row=str(row["id"]))

        def write(connection: Connection) -> Any:
            connection.execute(
                delete(organisation_invitations).where(_columns.expires_us <= now_us)
            )
            mine = _columns.organisation_no == organisation.account.no
            connection.execute(
                delete(organisation_invitations).where(
                    mine, _columns.address_digest == row["address_digest"]
                )
            )
            count = select(func.count()).select_from(organisation_invitations).where(mine)
            if (connection.scalar(count) or 0) >= MAX_WAITING:
                raise Refusal(f"at most {MAX_WAITING} invitations wait at once")
            connection.execute(
                insert(organisation_invitations).values(address_sealed=sealed, **row)
            )
            values = {"organisation": organisation.name, "by": by.email}
            id = account.id if account is not None else ""
            letter = Letter("invitation", address, id, visit.locale, token, values)
            self._people.mail.queue(connection, letter)
            self._organisations.record(
                connection, by, organisation.account, f"invite {row['id']} {part}"
            )
            query = select(organisation_invitations).where(_columns.id == row["id"])
            return connection.execute(query).one()

        return self._invitation(await self._database.write(write))

    async def waiting(self, organisation: Organisation) -> list[Invitation]:
        """What an organisation waits for, newest first."""
        return await self._found(_columns.organisation_no == organisation.account.no)

    async def to(self, account: Account) -> list[Invitation]:
        """What somebody is invited to, newest first."""
        digest = self._secrets.address_digest(account.email.encode())
        return await self._found(_columns.address_digest == digest)

    async def by_token(self, token: str) -> Invitation:
        """The invitation of a link. Raises Refusal, the same for every link that is no good."""
        found = []
        if token and len(token) <= MAX_TOKEN:
            found = await self._found(_columns.digest == token_digest(token))
        if not found:
            raise Refusal("the invitation is unknown, over or was used")
        return found[0]

    async def accept(self, account: Account, id: str) -> Organisation:
        """Become a member. Raises Refusal; it must be an invitation to this account's address."""
        invitation = await self._mine(account, id)
        organisation = invitation.organisation
        try:
            giver = organisation.part_of(invitation.invited_by)
            check_reach(giver, None, invitation.part)
        except Refusal:
            raise Refusal("whoever invited you may not do so any more") from None
        if account.no in organisation.members:
            raise Refusal("you are a member already")

        def use(connection: Connection) -> None:
            if not self._end(connection, invitation):
                raise Refusal("the invitation is unknown, over or was used")

        await self._organisations.put(
            account,
            organisation,
            account,
            invitation.part,
            invitation.monthly_limit_microusd,
            within=use,
        )
        return organisation

    async def decline(self, account: Account, id: str) -> None:
        """Do not become a member. Raises Refusal."""
        invitation = await self._mine(account, id)
        await self._over(account, invitation, "decline")

    async def withdraw(self, by: Account, organisation: Organisation, id: str) -> None:
        """Take an invitation back. Raises Refusal."""
        check_part(organisation.part_of(by), "members.invite")
        for invitation in await self._found(_columns.id == id):
            if invitation.organisation is organisation:
                await self._over(by, invitation, "withdraw")
                return
        raise Refusal(f"there is no invitation {id[:64]!r}")

    async def _over(self, by: Account, invitation: Invitation, what: str) -> None:
        def write(connection: Connection) -> None:
            if self._end(connection, invitation):
                account = invitation.organisation.account
                self._organisations.record(connection, by, account, f"{what} {invitation.id}")

        await self._database.write(write)

    async def _mine(self, account: Account, id: str) -> Invitation:
        for invitation in await self.to(account):
            if invitation.id == id:
                return invitation
        raise Refusal("the invitation is unknown, over or was used")

    async def _found(self, condition: Any) -> list[Invitation]:
        query = (
            select(organisation_invitations)
            .where(condition, _columns.expires_us > self._clock.now_us())
            .order_by(_columns.created_us.desc(), _columns.id)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [self._invitation(row) for row in rows]

    def _end(self, connection: Connection, invitation: Invitation) -> bool:
        gone = delete(organisation_invitations).where(_columns.id == invitation.id)
        return connection.execute(gone).rowcount == 1

    def _invitation(self, row: Any) -> Invitation:
        organisation = self._organisations.by_no(row.organisation_no)
        if organisation is None:
            raise KeyError(row.organisation_no)
        return Invitation(
            row.id,
            organisation,
            self._secrets.unseal(row.address_sealed, table=TABLE, row=row.id),
            row.role,
            row.monthly_limit_microusd,
            self._people.accounts.by_no(row.invited_by),
            row.created_us,
            row.expires_us,
        )

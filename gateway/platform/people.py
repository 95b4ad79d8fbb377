"""People: every room that knows who somebody is and what they may do, opened together.

It only wires; each room is documented in its own file.
"""

from dataclasses import dataclass

from gateway.base.clock import Clock
from gateway.base.config import Settings
from gateway.base.ids import IdFactory
from gateway.platform.accounts import Accounts
from gateway.platform.accounts.addresses import Addresses
from gateway.platform.accounts.entrance import Entrance
from gateway.platform.accounts.factors import Factors
from gateway.platform.accounts.guardians import Guardians
from gateway.platform.accounts.guesses import Guesses
from gateway.platform.accounts.identities import Identities
from gateway.platform.accounts.passwords import Passwords
from gateway.platform.accounts.profiles import Profiles
from gateway.platform.accounts.proofs import Proofs
from gateway.platform.accounts.sessions import DAY_US, Sessions
from gateway.platform.accounts.sign_up import Policy, SignUp
from gateway.platform.audit import Audit
from gateway.platform.mail import Mail
from gateway.store.database import Database
from gateway.store.outbox import Outbox
from gateway.store.secrets import Secrets


@dataclass(frozen=True, slots=True)
class People:
    """The open rooms."""

    accounts: Accounts
    audit: Audit
    passwords: Passwords
    sessions: Sessions
    guesses: Guesses
    mail: Mail
    sign_up: SignUp
    entrance: Entrance
    factors: Factors
    identities: Identities
    profiles: Profiles
    addresses: Addresses
    guardians: Guardians
    proofs: Proofs

    async def load(self) -> None:
        """Hold the accounts that may not spend; once, before any request."""
        await self.guardians.load()
        await self.proofs.load()

    def close(self) -> None:
        """End the threads that hash."""
        self.passwords.close()


def open_people(
    settings: Settings,
    database: Database,
    secrets: Secrets,
    clock: Clock,
    ids: IdFactory,
    accounts: Accounts,
) -> People:
    """Open the rooms over accounts that are loaded."""
    audit = Audit(database, secrets, clock)
    passwords = Passwords(secrets, settings.accounts_bcrypt_cost)
    lifetime_us = settings.accounts_session_days * DAY_US
    sessions = Sessions(database, accounts, secrets, clock, ids, lifetime_us=lifetime_us)
    guesses = Guesses(database, secrets, clock)
    profiles = Profiles(database, secrets, clock, audit)
    mail = Mail(database, Outbox(secrets, clock, ids), profiles.spoken_by)
    entrance = Entrance(database, accounts, sessions, passwords, guesses, mail, clock)
    guardians = Guardians(
        database, accounts, secrets, guesses, mail, audit, clock, sessions.new_token
    )
    policy = Policy(
        settings.accounts_sign_up == "open",
        int(settings.accounts_minimum_age),
        settings.accounts_terms_version,
    )
    return People(
        accounts=accounts,
        audit=audit,
        profiles=profiles,
        addresses=Addresses(database, accounts, sessions, secrets, guesses, mail, audit, clock),
        passwords=passwords,
        sessions=sessions,
        guesses=guesses,
        mail=mail,
        sign_up=SignUp(
            database,
            accounts,
            secrets,
            passwords,
            guesses,
            mail,
            guardians,
            clock,
            policy,
            sessions.new_token,
        ),
        entrance=entrance,
        identities=Identities(database, accounts, secrets, clock, guardians, policy),
        guardians=guardians,
        proofs=Proofs(database, accounts, mail, audit, clock, ids),
        factors=Factors(database, secrets, sessions, entrance, guesses, mail, clock, ids),
    )

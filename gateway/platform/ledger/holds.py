"""Holds: who may spend what right now, decided in memory by one process that owns every balance.

Pure and synchronous: no I/O, no clock. Invariants, checked at every move and raised as MoneyError:
0 <= held <= balance for each wallet, and balance is the sum of its lots. A hold is resolved exactly
once, by `settle` or `release`. What memory has taken is written by the settlement; memory may be
ahead of the disk, never behind it. Credit is consumed promotional first, then adjustments, then
purchases, the oldest lot of each kind first.
"""

from collections.abc import Iterable
from typing import Protocol

from gateway.base.errors import CreditInUse, GatewayError, InsufficientCredit
from gateway.base.money import MoneyError, carry, checked
from gateway.platform.ledger.chart import LOT_BASE, OVERRUN_LOSS, REVENUE

RANK = {"promotional": 0, "adjustment": 1, "purchased": 2}
RETRY_AFTER_S = 1

Leg = tuple[int, int, int]


class Ceiling(Protocol):
    """What bounds a hold besides the balance: a budget. It counts what is held of it."""

    held_microusd: int

    @property
    def available_microusd(self) -> int:
        """What no request has spent or holds."""
        ...

    def bound(self, least_microusd: int, want_microusd: int) -> int:
        """How much of `want` may be held. Raises GatewayError when it is not even `least`."""
        ...

    def refusal(self, least_microusd: int) -> GatewayError:
        """Why `least_microusd` more cannot be held."""
        ...


class Lot:
    """Credit granted at once: `remaining_microusd` of it is left."""

    def __init__(self, no: int, kind: str, remaining_microusd: int) -> None:
        self.no = no
        self.rank = RANK[kind]
        self.remaining_microusd = checked(remaining_microusd)


class Wallet:
    """One account's credit. `lots` holds those with something left, in the order of use."""

    def __init__(self, account_no: int, remainder_picousd: int = 0) -> None:
        self.account_no = account_no
        self.balance_microusd = 0
        self.held_microusd = 0
        self.remainder_picousd = remainder_picousd
        self.lots: list[Lot] = []

    @property
    def available_microusd(self) -> int:
        """What no request holds."""
        return self.balance_microusd - self.held_microusd

    def add(self, lot: Lot) -> None:
        """Add a lot in its place in the order of use."""
        checked(self.balance_microusd + lot.remaining_microusd)
        self.balance_microusd += lot.remaining_microusd
        self.lots.append(lot)
        self.lots.sort(key=lambda each: (each.rank, each.no))

    def take(self, amount_microusd: int) -> tuple[tuple[Lot, int], ...]:
        """Take from the lots in order; returns (lot, amount) for each one touched."""
        lots, left = self.lots, amount_microusd
        parts: list[tuple[Lot, int]] = []
        while left:
            if not lots:
                raise MoneyError("the lots of a wallet do not add up to its balance")
            lot = lots[0]
            part = min(left, lot.remaining_microusd)
            lot.remaining_microusd -= part
            left -= part
            parts.append((lot, part))
            if not lot.remaining_microusd:
                del lots[0]
        self.balance_microusd -= amount_microusd
        return tuple(parts)


class Charge:
    """What a settled request costs: from which lots, and what the operator must bear.

    posted + overrun (microusd) is the whole-dollar part of cost + remainder before, and
    `remainder_picousd` is what the wallet carries after it.
    """

    def __init__(
        self,
        wallet: Wallet,
        cost_picousd: int,
        parts: tuple[tuple[Lot, int], ...],
        posted_microusd: int,
        overrun_microusd: int,
        remainder_picousd: int,
    ) -> None:
        self.wallet = wallet
        self.cost_picousd = cost_picousd
        self.parts = parts
        self.posted_microusd = posted_microusd
        self.overrun_microusd = overrun_microusd
        self.remainder_picousd = remainder_picousd
        self.submitted = False

    @property
    def account_no(self) -> int:
        """Whose charge it is."""
        return self.wallet.account_no

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The transfers (debit_no, credit_no, amount_microusd); none for a cost below one unit."""
        legs = [(LOT_BASE + lot.no, REVENUE, amount) for lot, amount in self.parts]
        if self.overrun_microusd:
            legs.append((OVERRUN_LOSS, REVENUE, self.overrun_microusd))
        return tuple(legs)


class Hold:
    """A claim on a wallet until the request's cost is known; a context manager that releases."""

    def __init__(
        self, wallet: Wallet, amount_microusd: int, ceilings: tuple[Ceiling, ...] = ()
    ) -> None:
        self.wallet = wallet
        self.amount_microusd = amount_microusd
        self.ceilings = ceilings
        self.resolved = False

    @property
    def reach_microusd(self) -> int:
        """The most that this hold could grow to now."""
        wallet = self.wallet
        more = wallet.balance_microusd - wallet.held_microusd
        for ceiling in self.ceilings:
            more = min(more, ceiling.available_microusd)
        return self.amount_microusd + more

    def refusal(self) -> GatewayError:
        """Why the hold cannot grow any more: a budget, or the account's credit."""
        for ceiling in self.ceilings:
            if not ceiling.available_microusd:
                return ceiling.refusal(1)
        return InsufficientCredit("The account's credit ran out during this answer.")

    def grow_to(self, amount_microusd: int) -> bool:
        """Hold at least this much; False, and nothing changes, when balance or budget forbid it."""
        self._check_open()
        more = amount_microusd - self.amount_microusd
        if more <= 0:
            return True
        wallet = self.wallet
        if more > wallet.balance_microusd - wallet.held_microusd:
            return False
        for ceiling in self.ceilings:
            if more > ceiling.available_microusd:
                return False
        for ceiling in self.ceilings:
            ceiling.held_microusd += more
        wallet.held_microusd += more
        self.amount_microusd = amount_microusd
        return True

    def settle(self, cost_picousd: int) -> Charge:
        """Take the cost from the wallet and end the hold.

        More than was held comes from what nobody holds; what even that does not cover is the
        operator's loss. Raises MoneyError (and keeps the hold) for a negative or absurd cost.
        """
        self._check_open()
        wallet = self.wallet
        due_microusd, remainder = carry(cost_picousd, wallet.remainder_picousd)
        spendable = wallet.balance_microusd - wallet.held_microusd + self.amount_microusd
        posted = due_microusd if due_microusd <= spendable else spendable
        self.release()
        parts = wallet.take(posted) if posted else ()
        wallet.remainder_picousd = remainder
        if not 0 <= wallet.held_microusd <= wallet.balance_microusd:
            raise MoneyError("a settlement reached into credit that other requests hold")
        return Charge(wallet, cost_picousd, parts, posted, due_microusd - posted, remainder)

    def release(self) -> None:
        """End the hold without a charge."""
        self._check_open()
        self.resolved = True
        wallet = self.wallet
        wallet.held_microusd -= self.amount_microusd
        if wallet.held_microusd < 0:
            raise MoneyError("more was released than was held")
        for ceiling in self.ceilings:
            ceiling.held_microusd -= self.amount_microusd

    def _check_open(self) -> None:
        if self.resolved:
            raise MoneyError("the hold was settled or released before")

    def __enter__(self) -> "Hold":
        return self

    def __exit__(self, *_: object) -> None:
        if not self.resolved:
            self.release()


class Bank:
    """Every wallet, in memory. Filled at start, then moved by grants and settlements only."""

    def __init__(self) -> None:
        self.wallets: dict[int, Wallet] = {}
        self._known_lot_no = 0
        self._credited: set[int] = set()

    def load(
        self, wallets: Iterable[tuple[int, int]], lots: Iterable[tuple[int, int, str, int]]
    ) -> None:
        """Fill from rows (account_no, remainder_picousd) and (no, account_no, kind, remaining)."""
        for account_no, remainder in wallets:
            self.wallets[account_no] = Wallet(account_no, remainder)
        for no, account_no, kind, remaining in lots:
            self._known_lot_no = max(self._known_lot_no, no)
            if remaining:
                self._wallet(account_no).add(Lot(no, kind, remaining))

    def credit(self, account_no: int, lot_no: int, kind: str, amount_microusd: int) -> bool:
        """Add a granted lot that is durable. False when this lot was added before."""
        if lot_no <= self._known_lot_no or lot_no in self._credited:
            return False
        self._wallet(account_no).add(Lot(lot_no, kind, amount_microusd))
        self._credited.add(lot_no)
        return True

    def restore(self, charge: Charge) -> None:
        """Give back a charge that the ledger refused."""
        wallet = charge.wallet
        for lot, amount in charge.parts:
            lot.remaining_microusd += amount
            wallet.balance_microusd += amount
            if lot not in wallet.lots:
                wallet.lots.append(lot)
        wallet.lots.sort(key=lambda each: (each.rank, each.no))

    def balance(self, account_no: int) -> int:
        """The balance in microusd, held or not; 0 for an account without credit."""
        wallet = self.wallets.get(account_no)
        return wallet.balance_microusd if wallet is not None else 0

    def hold(
        self,
        account_no: int,
        least_microusd: int,
        want_microusd: int,
        ceilings: tuple[Ceiling, ...] = (),
    ) -> Hold:
        """Hold `want`, or whatever is available if that is at least `least`.

        Raises the refusal of a ceiling that leaves less than `least`; InsufficientCredit when the
        balance is below `least`, CreditInUse when the balance would do but other requests hold too
        much of it, MoneyError for a negative amount.
        """
        if least_microusd < 0 or want_microusd < least_microusd:
            raise MoneyError("a hold wants at least its least amount, and neither is negative")
        for ceiling in ceilings:
            want_microusd = ceiling.bound(least_microusd, want_microusd)
        wallet = self.wallets.get(account_no)
        if wallet is None:
            if least_microusd:
                raise InsufficientCredit
            wallet = self._wallet(account_no)
        available = wallet.balance_microusd - wallet.held_microusd
        if available < least_microusd:
            if wallet.balance_microusd < least_microusd:
                raise InsufficientCredit
            raise CreditInUse(retry_after_s=RETRY_AFTER_S)
        amount = want_microusd if want_microusd <= available else available
        wallet.held_microusd += amount
        for ceiling in ceilings:
            ceiling.held_microusd += amount
        return Hold(wallet, amount, ceilings)

    def _wallet(self, account_no: int) -> Wallet:
        wallet = self.wallets.get(account_no)
        if wallet is None:
            wallet = self.wallets[account_no] = Wallet(account_no)
        return wallet

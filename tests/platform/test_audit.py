"""The audit log: what is written stands, and whatever is done to the file afterwards is found."""

import os
import random
import sqlite3

import pytest
import sqlalchemy as sa
from sqlalchemy import text

from gateway.platform.audit import Audit, Head
from gateway.platform.refusals import Refusal
from gateway.store.database import Database


@pytest.fixture
def where(tmp_path):
    """A file: these tests change it behind the triggers' back."""
    return tmp_path / "tallygate.db"


@pytest.fixture
async def audit(rooms):
    made = Audit(rooms.database, rooms.secrets, rooms.clock)
    for number in range(20):
        await made.record(f"acc_{number % 3}", "support", "accounts.read", f"acc_{number}", "GET /")
        rooms.clock.advance(1)
    return made


async def test_rows_are_listed_and_the_chain_verifies(rooms, audit):
    report = await audit.verify()
    assert report.findings == [] and report.rows == 20 and report.head == await audit.head()
    newest = await audit.newest(2)
    assert [entry.seq for entry in newest] == [20, 19]
    assert [e.seq for e in await audit.newest(9, before=10, actor="acc_0")] == [7, 4, 1]
    assert [e.seq for e in await audit.page(18, 10)] == [19, 20]


async def test_a_row_is_part_of_the_transaction_it_tells_of(rooms, audit):
    def fail(connection):
        audit.append(connection, "acc_1", "finance", "credits.decide")
        raise LookupError

    with pytest.raises(LookupError):
        await rooms.database.write(fail)
    assert (await audit.head()).seq == 20


async def test_the_database_itself_refuses_change_and_deletion(rooms, audit):
    for statement in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"):
        with pytest.raises(sa.exc.IntegrityError, match="append-only"):
            await rooms.database.write(lambda c, s=statement: c.execute(text(s)))


def mutate(path, how, rng):
    """Change the file behind the triggers' back; whether anything is different now."""
    raw = sqlite3.connect(path)
    for act in ("update", "delete"):
        raw.execute(f"DROP TRIGGER IF EXISTS audit_log_no_{act}")
    before = raw.execute("SELECT * FROM audit_log ORDER BY seq").fetchall()
    one, other = rng.sample(range(1, 21), 2)
    if how == "edit":
        column = rng.choice(["at_us", "actor", "role", "action", "target", "detail"])
        value = rng.randrange(10**15) if column == "at_us" else f"x{rng.random()}"
        raw.execute(f"UPDATE audit_log SET {column} = ? WHERE seq = ?", (value, one))
    elif how == "digest":
        raw.execute("UPDATE audit_log SET digest = ? WHERE seq = ?", (rng.randbytes(32), one))
    elif how == "delete":
        raw.execute("DELETE FROM audit_log WHERE seq = ?", (one,))
    elif how == "renumber":
        raw.execute("DELETE FROM audit_log WHERE seq = ?", (one,))
        raw.execute("UPDATE audit_log SET seq = seq - 1 WHERE seq > ?", (one,))
    elif how == "insert":
        raw.execute("UPDATE audit_log SET seq = -(seq + 1) WHERE seq >= ?", (one,))
        raw.execute("UPDATE audit_log SET seq = -seq WHERE seq < 0")
        raw.execute(
            "INSERT INTO audit_log SELECT ?, at_us, actor, role, action, target, detail, digest "
            "FROM audit_log WHERE seq = ?",
            (one, one + 1),
        )
    elif how == "swap":
        for a, b in ((one, -1), (other, one), (-1, other)):
            raw.execute("UPDATE audit_log SET seq = ? WHERE seq = ?", (b, a))
    else:
        raw.execute("DELETE FROM audit_log WHERE seq > ?", (one - 1,))
    changed = raw.execute("SELECT * FROM audit_log ORDER BY seq").fetchall() != before
    raw.commit()
    raw.close()
    return changed


@pytest.mark.parametrize(
    "how", ["edit", "digest", "delete", "renumber", "insert", "swap", "truncate"]
)
async def test_every_mutation_is_found(rooms, audit, how):
    """A few here; AUDIT_MUTATIONS asks for more of each kind."""
    head = await audit.head()
    rng = random.Random(how)
    await rooms.close()
    whole = (rooms.folder / "tallygate.db").read_bytes()
    copy = rooms.folder / "copy.db"
    for _ in range(int(os.environ.get("AUDIT_MUTATIONS", "15"))):
        copy.write_bytes(whole)
        assert mutate(copy, how, rng)
        database = Database.open(copy, clock=rooms.clock)
        report = await Audit(database, rooms.secrets, rooms.clock).verify(head)
        await database.close()
        assert report.findings
    await rooms.open()


async def test_another_key_does_not_verify(rooms, audit, tmp_path_factory):
    from gateway.store.secrets import Secrets

    other = Secrets.open(tmp_path_factory.mktemp("other"), {})
    report = await Audit(rooms.database, other, rooms.clock).verify()
    assert report.findings


async def test_an_exported_head_is_read_back(audit):
    head = await audit.head()
    assert Head.parse(f" {head}\n") == head
    for wrong in ("", "x", "1", "1:zz", "-1:" + "0" * 64, "1:00"):
        with pytest.raises(Refusal):
            Head.parse(wrong)

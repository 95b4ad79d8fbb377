"""Letters reach a real SMTP server, wait for one that is down, and are never lost without one."""

import logging
import socket
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy.exc import IntegrityError

from gateway.base.config import load
from gateway.platform.mail import Letter, Mail, SmtpServer, Written
from gateway.store.outbox import KEPT_US, Outbox

LETTER = Letter("reset", "Ann.Öst@example.com", "acc_1", "en", "t0ken", {"number": 1})


class Mailbox:
    """What an SMTP server was given; `answer` is its reply to the recipient or the data."""

    def __init__(self):
        self.received = []
        self.refuse_rcpt = ""
        self.refuse_data = ""

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refuse_rcpt:
            return self.refuse_rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refuse_data:
            return self.refuse_data
        self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def mailbox():
    handler = Mailbox()
    server = Controller(handler, hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=True)
    server.start()
    handler.port = server.port
    yield handler
    server.stop()


@pytest.fixture
def mail(rooms):
    rooms.outbox = Outbox(rooms.secrets, rooms.clock, rooms.ids)
    return Mail(rooms.database, rooms.outbox)


def write(letter):
    return Written(
        f"Subject for {letter.kind}", f"Hello.\nlink {letter.token}\n", "http://h/reset/t0ken"
    )


def server(port):
    flags = {"mail.smtp_host": "127.0.0.1", "mail.smtp_port": port, "mail.smtp_tls": "none"}
    return SmtpServer(load(environ={}, flags=flags | {"mail.sender": "Gate <gate@example.org>"}))


async def queue(rooms, mail, letter=LETTER, **how):
    await rooms.database.write(lambda c: mail.queue(c, letter, **how))


async def test_a_letter_arrives_once(rooms, mail, mailbox):
    await queue(rooms, mail)
    assert await mail.deliver(write, server(mailbox.port).send) == 1
    assert await mail.deliver(write, server(mailbox.port).send) == 0
    [message] = mailbox.received
    assert (
        message["Subject"] == "Subject for reset" and message["From"] == "Gate <gate@example.org>"
    )
    assert message["To"] == "Ann.Öst@example.com" and "link t0ken" in message.get_content()
    assert message["Message-ID"].endswith("@example.org>") and message["Auto-Submitted"]
    assert await mail.undelivered() == []


async def test_a_letter_of_a_transaction_that_failed_is_not_sent(rooms, mail, mailbox):
    def fail(connection):
        mail.queue(connection, LETTER)
        raise LookupError

    with pytest.raises(LookupError):
        await rooms.database.write(fail)
    assert await mail.deliver(write, server(mailbox.port).send) == 0 and mailbox.received == []


async def test_a_void_letter_is_never_sent_or_shown(rooms, mail, mailbox):
    await queue(rooms, mail, void=True)
    assert await mail.deliver(write, server(mailbox.port).send) == 0
    assert await mail.undelivered() == []
    await mail.purge()


async def test_a_server_that_is_down_is_tried_again_later_and_longer(rooms, mail, mailbox):
    await queue(rooms, mail)
    down = server(free_port())
    waits = []
    for _ in range(4):
        assert await mail.deliver(write, down.send) == 1
        assert await mail.deliver(write, down.send) == 0
        waited = 0
        while not await rooms.database.read(lambda c: rooms.outbox.due(c, 1)):
            rooms.clock.advance(5)
            waited += 5
        waits.append(waited)
    assert waits == [15, 30, 60, 120]
    [shown] = await mail.undelivered()
    assert (shown.state, shown.attempts, shown.letter.to) == ("due", 4, LETTER.to)
    assert await mail.deliver(write, server(mailbox.port).send) == 1
    assert len(mailbox.received) == 1 and await mail.undelivered() == []


@pytest.mark.parametrize("stage", ["refuse_rcpt", "refuse_data"])
async def test_a_final_refusal_is_kept_to_be_looked_at(rooms, mail, mailbox, stage, caplog):
    setattr(mailbox, stage, "550 no such user Ann.Öst@example.com")
    await queue(rooms, mail)
    with caplog.at_level(logging.WARNING, "tallygate.mail"):
        await mail.deliver(write, server(mailbox.port).send)
    rooms.clock.advance(86_400)
    assert await mail.deliver(write, server(mailbox.port).send) == 0
    [shown] = await mail.undelivered()
    assert shown.state == "failed" and shown.letter == LETTER
    assert all("example.com" not in str(vars(record)) for record in caplog.records)


async def test_a_passing_refusal_is_not_final(rooms, mail, mailbox):
    mailbox.refuse_rcpt = "451 try later"
    await queue(rooms, mail)
    await mail.deliver(write, server(mailbox.port).send)
    mailbox.refuse_rcpt = ""
    rooms.clock.advance(60)
    await mail.deliver(write, server(mailbox.port).send)
    assert len(mailbox.received) == 1


async def test_without_a_server_the_link_is_logged_and_the_letter_kept(rooms, mail, caplog):
    await queue(rooms, mail)
    with caplog.at_level(logging.WARNING, "tallygate.mail"):
        assert await mail.deliver(write, None) == 1
        assert await mail.deliver(write, None) == 0
    [record] = caplog.records
    assert record.f["link"] == "http://h/reset/t0ken" and record.f["account"] == "acc_1"
    assert "example.com" not in str(vars(record))
    [shown] = await mail.undelivered()
    assert shown.state == "shown" and shown.letter == LETTER
    rooms.clock.advance(31 * 86_400)
    await mail.purge()
    assert await mail.undelivered() == []


async def test_a_letter_waits_sealed_and_outlives_a_restart(rooms, mail):
    await queue(rooms, mail)
    await rooms.reopen()
    for path in rooms.folder.iterdir():
        content = path.read_bytes()
        assert b"t0ken" not in content and "Öst@example".encode() not in content
    again = Mail(rooms.database, Outbox(rooms.secrets, rooms.clock, rooms.ids))
    [shown] = await again.undelivered()
    assert shown.letter == LETTER


async def test_what_cannot_be_a_header_is_refused_for_good(rooms, mail, mailbox):
    await queue(rooms, mail, LETTER._replace(to="a@b.c\r\nBcc: x@y.z"))
    await mail.deliver(write, server(mailbox.port).send)
    [shown] = await mail.undelivered()
    assert (shown.state, shown.error) == ("failed", "unwritable") and mailbox.received == []


async def test_a_letter_that_cannot_be_written_stops_no_other(rooms, mail, mailbox):
    await queue(rooms, mail, LETTER._replace(kind="confirm"))
    await queue(rooms, mail)

    def fail(letter):
        return write(letter) if letter.kind == "reset" else {}["missing"]

    assert await mail.deliver(fail, server(mailbox.port).send) == 2
    assert [message["Subject"] for message in mailbox.received] == ["Subject for reset"]
    [shown] = await mail.undelivered()
    assert (shown.state, shown.error, shown.letter.kind) == ("due", "unwritable", "confirm")


async def test_a_note_outlives_what_is_purged_until_it_is_forgotten(rooms, mail):
    outbox = rooms.outbox
    await rooms.database.write(lambda c: outbox.note(c, "low", "acc_1"))
    with pytest.raises(IntegrityError):
        await rooms.database.write(lambda c: outbox.note(c, "low", "acc_1"))
    rooms.clock.advance(2 * KEPT_US // 1_000_000)
    await mail.purge()
    assert await rooms.database.read(lambda c: outbox.noted(c, "low")) == {"acc_1"}
    assert await rooms.database.read(lambda c: outbox.noted(c, "other")) == set()
    assert await rooms.database.read(lambda c: outbox.due(c, 10)) == []
    await rooms.database.write(lambda c: outbox.forget(c, "low", "acc_1"))
    assert await rooms.database.read(lambda c: outbox.noted(c, "low")) == set()

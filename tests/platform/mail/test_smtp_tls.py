"""SMTP over TLS against a real server with a certificate of our own: only a good one gets a letter.

STARTTLS that a server does not offer, or a certificate that is not for its name or of nobody we
trust, must end the attempt before the letter is said (RFC 3207, RFC 8314).
"""

import ipaddress

import pytest
from aiosmtpd.controller import Controller

from gateway.base.config import load
from gateway.platform.mail import SmtpServer, Written
from gateway.platform.mail.smtp import MailRefused
from tests.fakes.certificates import certificate
from tests.platform.mail.test_mail import Mailbox, free_port

LETTER = Written("Subject", "secret letter\n")
HERE = ipaddress.ip_address("127.0.0.1")


@pytest.fixture
def serve():
    running = []

    def start(**how):
        box = Mailbox()
        server = Controller(box, hostname="127.0.0.1", port=free_port(), **how)
        server.ready_timeout = 10
        server.start()
        running.append(server)
        return server.port, box

    yield start
    for server in running:
        server.stop()


def ours(port, tls):
    flags = {"mail.smtp_host": "127.0.0.1", "mail.smtp_port": port, "mail.smtp_tls": tls}
    return SmtpServer(load(environ={}, flags=flags | {"mail.sender": "gate@example.org"}))


def how(tls, context):
    if tls == "tls":
        return {"ssl_context": context}
    return {"tls_context": context, "require_starttls": True}


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_letter_goes_through_tls_to_a_server_that_is_trusted(
    tls, serve, tmp_path, monkeypatch
):
    chain, context = certificate(tmp_path, HERE)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    port, box = serve(**how(tls, context))
    await ours(port, tls).send("out_1", "ann@example.com", LETTER)
    [message] = box.received
    assert message.get_content().replace("\r\n", "\n") == LETTER.text


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("fault", ["nobody trusts it", "another name"])
async def test_a_bad_certificate_gets_no_letter(tls, fault, serve, tmp_path, monkeypatch):
    address = HERE if fault == "nobody trusts it" else ipaddress.ip_address("127.0.0.2")
    chain, context = certificate(tmp_path, address)
    if fault == "another name":
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    port, box = serve(**how(tls, context))
    with pytest.raises(MailRefused) as caught:
        await ours(port, tls).send("out_1", "ann@example.com", LETTER)
    assert not caught.value.final and box.received == []  # an operator can mend it


async def test_starttls_that_is_not_offered_is_not_done_without(serve):
    port, box = serve()
    with pytest.raises(MailRefused) as caught:
        await ours(port, "starttls").send("out_1", "ann@example.com", LETTER)
    assert not caught.value.final and box.received == []


async def test_a_server_without_tls_where_tls_is_set_gets_nothing(serve):
    port, box = serve()
    with pytest.raises(MailRefused):
        await ours(port, "tls").send("out_1", "ann@example.com", LETTER)
    assert box.received == []

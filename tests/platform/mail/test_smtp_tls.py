"""SMTP over TLS against a real server with a certificate of our own: only a good one gets a letter.

STARTTLS that a server does not offer, or a certificate that is not for its name or of nobody we
trust, must end the attempt before the letter is said (RFC 3207, RFC 8314).
"""

import datetime
import ipaddress
import ssl

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.base.config import load
from gateway.platform.mail import SmtpServer, Written
from gateway.platform.mail.smtp import MailRefused
from tests.platform.mail.test_mail import Mailbox, free_port

LETTER = Written("Subject", "secret letter\n")
HERE = ipaddress.ip_address("127.0.0.1")


def certificate(folder, address):
    """A certificate for an address, signed by itself; returns its file and its server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(address)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / f"{address}.pem", folder / f"{address}.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, secret)
    return chain, context


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

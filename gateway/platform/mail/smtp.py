"""The one SMTP server that letters leave through (RFC 5321), by aiosmtplib.

A failure says whether trying again can help, and of what kind it was; a server's words may hold an
address and are not kept.
"""

from email.message import EmailMessage
from email.utils import formatdate
from typing import TYPE_CHECKING

from gateway.base.config import Settings

if TYPE_CHECKING:
    from gateway.platform.mail.mail import Written

TIMEOUT_S = 30.0
_FINAL = range(500, 600)  # RFC 5321 4.2.1: permanent negative completion


class MailRefused(Exception):
    """A letter was not accepted. `kind` is a word for the log; `final`: never try again."""

    def __init__(self, kind: str, final: bool) -> None:
        super().__init__(kind)
        self.kind = kind
        self.final = final


class SmtpServer:
    """Sends single letters as the settings `mail.*` say."""

    def __init__(self, settings: Settings) -> None:
        self._host: str = settings.mail_smtp_host
        self._port: int = settings.mail_smtp_port
        self._user: str = settings.mail_smtp_user
        self._password: str = settings.mail_smtp_password
        self._tls: str = settings.mail_smtp_tls
        self._sender: str = settings.mail_sender

    @property
    def configured(self) -> bool:
        """Whether a server is named at all."""
        return bool(self._host)

    async def send(self, id: str, to: str, written: "Written") -> None:
        """Hand one letter over. Raises MailRefused."""
        import aiosmtplib  # only a gateway that sends mail needs it

        message = EmailMessage()
        domain = self._sender.rpartition("@")[2].rstrip(">") or "localhost"
        try:
            message["From"] = self._sender
            message["To"] = to
            message["Subject"] = written.subject
            message["Date"] = formatdate(usegmt=True)
            message["Message-ID"] = f"<{id}@{domain}>"  # the same at every attempt
            message["Auto-Submitted"] = "auto-generated"  # RFC 3834
            message.set_content(written.text)
        except ValueError:
            raise MailRefused("unwritable", True) from None
        try:
            await aiosmtplib.send(
                message,
                hostname=self._host,
                port=self._port,
                username=self._user or None,
                password=self._password or None,
                use_tls=self._tls == "tls",
                start_tls=self._tls == "starttls",
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            final = all(each.code in _FINAL for each in error.recipients)
            raise MailRefused("recipient", final) from None
        except aiosmtplib.SMTPAuthenticationError:
            raise MailRefused("authentication", False) from None
        except aiosmtplib.SMTPResponseException as error:
            raise MailRefused(f"answer {error.code}", error.code in _FINAL) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            raise MailRefused(type(error).__name__, False) from None

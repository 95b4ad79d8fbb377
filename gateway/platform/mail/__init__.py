"""Mail: letters queued with the fact they tell of, and the one SMTP server they leave through."""

from gateway.platform.mail.mail import Kind, Letter, Mail, Written
from gateway.platform.mail.smtp import SmtpServer

__all__ = ["Kind", "Letter", "Mail", "SmtpServer", "Written"]

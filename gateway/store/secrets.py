"""The master key and what is derived from it: purpose-split keys and sealed columns.

The master key is 256 random bits in `secret.key` (mode 0600) in the data folder, made at the first
start and never in the database; the variable TALLYGATE_MASTER_KEY may bring it instead where files
are not kept. Every use has its own key by HKDF-SHA-256 (RFC 5869) with the purpose as `info`, so a
value made for one purpose never serves another. A sealed column is an AES-256-GCM envelope
(version, key id, 96-bit nonce, ciphertext and tag; NIST SP 800-38D) bound to its table and row, so
a value copied into another row does not open. This file knows no tables and never logs a secret.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_FILE = "secret.key"
KEY_VARIABLE = "TALLYGATE_MASTER_KEY"
KEY_BYTES = 32
NONCE_BYTES = 12
_VERSION = 1
_HEADER_BYTES = 1 + 4 + NONCE_BYTES


class SecretsError(ValueError):
    """A key is missing, malformed or not the one that sealed a value. The text says what to do."""


class Secrets:
    """Everything derived from one master key. `repr` shows the key id, never a key."""

    __slots__ = (
        "_address",
        "_audit",
        "_column",
        "_password",
        "_pseudonym",
        "_random",
        "_sign_in",
        "_subject",
        "key_id",
        "pepper",
    )

    def __init__(self, master: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        if len(master) != KEY_BYTES:
            raise SecretsError(f"the master key must be {KEY_BYTES} bytes, not {len(master)}")
        self.key_id = _derive(master, b"tallygate key id")[:4].hex()
        self.pepper = _derive(master, b"tallygate api key pepper")
        self._column = AESGCM(_derive(master, b"tallygate column encryption"))
        self._sign_in = _derive(master, b"tallygate sign-in link")
        self._pseudonym = _derive(master, b"tallygate end-user pseudonym")
        self._address = _derive(master, b"tallygate address index")
        self._password = _derive(master, b"tallygate password pepper")
        self._subject = _derive(master, b"tallygate sign-in subject")
        self._audit = _derive(master, b"tallygate audit chain")
        self._random = random

    def __repr__(self) -> str:
        return f"Secrets(key_id={self.key_id!r})"

    @classmethod
    def open(
        cls,
        folder: Path,
        environ: Mapping[str, str] = os.environ,
        *,
        create: bool = True,
        random: Callable[[int], bytes] = os.urandom,
    ) -> "Secrets":
        """Read `secret.key`, else the variable, else (with `create`) make the file.

        Raises SecretsError when neither exists and `create` is False, when either is malformed, or
        when both exist and differ: guessing between two keys could orphan every stored hash.
        """
        path = folder / KEY_FILE
        from_file = _read_key_file(path)
        text = environ.get(KEY_VARIABLE, "")
        from_variable = _decode_key(text, KEY_VARIABLE) if text else None
        if from_file and from_variable and not hmac.compare_digest(from_file, from_variable):
            raise SecretsError(
                f"{path} and {KEY_VARIABLE} hold different keys; remove the one that is wrong"
            )
        master = from_file or from_variable
        if master is None:
            if not create:
                raise SecretsError(
                    f"{path} is missing; restore it from your backup (or set {KEY_VARIABLE}): "
                    "without it no stored key or credential can be read"
                )
            master = random(KEY_BYTES)
            _write_key_file(path, master)
        return cls(master, random)

    def key_digest(self, key: bytes) -> bytes:
        """HMAC-SHA-256 of a whole API key with the pepper: what is stored and looked up."""
        return hmac.digest(self.pepper, key, "sha256")

    def sign_in_digest(self, token: bytes) -> bytes:
        """HMAC-SHA-256 of a sign-in token with the sign-in key: what is stored."""
        return hmac.digest(self._sign_in, token, "sha256")

    def address_digest(self, address: bytes) -> bytes:
        """HMAC-SHA-256 of an e-mail address in its normal form: what it is found by."""
        return hmac.digest(self._address, address, "sha256")

    def password_digest(self, password: bytes) -> bytes:
        """HMAC-SHA-256 of a password: what bcrypt hashes, in base64, so that length is no matter.

        Keyed, so that a stolen database alone gives nothing to guess against.
        """
        return base64.b64encode(hmac.digest(self._password, password, "sha256"))

    def subject_digest(self, kind: str, value: str) -> bytes:
        """HMAC-SHA-256 of whom a stored fact of signing in is about; kinds do not mix."""
        bound = hashlib.sha256(kind.encode()).digest() + value.encode(errors="surrogatepass")
        return hmac.digest(self._subject, bound, "sha256")

    def audit_digest(self, row: bytes) -> bytes:
        """HMAC-SHA-256 of an audit row that ends with the digest before it."""
        return hmac.digest(self._audit, row, "sha256")

    def pseudonym(self, account_id: str, user: str) -> str:
        """A stable name for an account's end user that a provider cannot lead back to them."""
        bound = hashlib.sha256(account_id.encode()).digest() + user.encode(errors="surrogatepass")
        return "u_" + hmac.digest(self._pseudonym, bound, "sha256")[:16].hex()

    def seal(self, plaintext: str, *, table: str, row: str) -> bytes:
        """Encrypt one column value of one row; `row` is the row's lasting name or id."""
        nonce = self._random(NONCE_BYTES)
        header = bytes((_VERSION,)) + bytes.fromhex(self.key_id)
        bound = _associated(header, table, row)
        return header + nonce + self._column.encrypt(nonce, plaintext.encode(), bound)

    def unseal(self, envelope: bytes, *, table: str, row: str) -> str:
        """Decrypt what `seal` made for the same table and row. Raises SecretsError."""
        if len(envelope) < _HEADER_BYTES or envelope[0] != _VERSION:
            raise SecretsError(f"a sealed value in {table} is damaged; store it again")
        header, nonce = envelope[:5], envelope[5:_HEADER_BYTES]
        if header[1:].hex() != self.key_id:
            raise SecretsError(
                f"a value in {table} was sealed with key {header[1:].hex()}, but the key here is "
                f"{self.key_id}; restore the {KEY_FILE} that belongs to this database"
            )
        try:
            bound = _associated(header, table, row)
            return self._column.decrypt(nonce, envelope[_HEADER_BYTES:], bound).decode()
        except InvalidTag:
            raise SecretsError(f"a sealed value in {table} was altered; store it again") from None


def _derive(master: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(master)


def _associated(header: bytes, table: str, row: str) -> bytes:
    # A digest of each part, so that no choice of table and row can collide with another.
    parts = (header, table.encode(), row.encode())
    return b"".join(hashlib.sha256(part).digest() for part in parts)


def _decode_key(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretsError(
            f"{source} does not hold a key: base64 of {KEY_BYTES} random bytes is expected"
        )
    return key


def _read_key_file(path: Path) -> bytes | None:
    try:
        text = path.read_text("ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretsError(f"cannot read {path}: {error.strerror}") from None
    if path.stat().st_mode & 0o077:
        raise SecretsError(f"{path} is readable by others; run: chmod 600 {path}")
    return _decode_key(text, str(path))


def _write_key_file(path: Path, master: bytes) -> None:
    """Create the file whole or not at all: written aside, synced, then linked into place."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, base64.b64encode(master) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.link(aside, path)  # refuses to replace a key that appeared meanwhile
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise SecretsError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()

import base64
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.secrets import KEY_FILE, KEY_VARIABLE, Secrets, SecretsError


def test_the_key_file_is_made_once_and_private(tmp_path):
    first = Secrets.open(tmp_path, {})
    path = tmp_path / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [KEY_FILE]
    again = Secrets.open(tmp_path, {})
    assert (again.key_id, again.pepper) == (first.key_id, first.pepper)


def test_a_missing_key_is_refused_when_it_may_not_be_made(tmp_path):
    with pytest.raises(SecretsError, match="restore it"):
        Secrets.open(tmp_path, {}, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_others_can_read_is_refused(tmp_path):
    Secrets.open(tmp_path, {})
    (tmp_path / KEY_FILE).chmod(0o640)
    with pytest.raises(SecretsError, match="chmod 600"):
        Secrets.open(tmp_path, {})


@pytest.mark.parametrize("text", ["", "short", "####", base64.b64encode(b"x" * 31).decode()])
def test_a_malformed_key_is_refused(tmp_path, text):
    (tmp_path / KEY_FILE).write_text(text)
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(SecretsError, match="does not hold a key"):
        Secrets.open(tmp_path, {})


def test_the_variable_serves_where_there_is_no_file_and_must_agree_where_there_is(tmp_path):
    key = base64.b64encode(os.urandom(32)).decode()
    by_variable = Secrets.open(tmp_path, {KEY_VARIABLE: key})
    assert list(tmp_path.iterdir()) == []
    by_file = Secrets.open(tmp_path, {})
    assert by_file.pepper != by_variable.pepper
    with pytest.raises(SecretsError, match="different keys"):
        Secrets.open(tmp_path, {KEY_VARIABLE: key})
    same = (tmp_path / KEY_FILE).read_text()
    assert Secrets.open(tmp_path, {KEY_VARIABLE: same}).pepper == by_file.pepper


def test_every_purpose_has_its_own_key():
    """One salt for two purposes was an incident elsewhere: no digest is good for another use."""
    secrets = Secrets(b"m" * 32)
    value = b"the same value"
    keys = [getattr(secrets, name) for name in Secrets.__slots__]
    keys = [key for key in keys if isinstance(key, bytes)]
    assert len(keys) == len(set(keys)) == 7 and all(len(key) == 32 for key in keys)
    purposes = {
        "key": secrets.key_digest,
        "sign-in": secrets.sign_in_digest,
        "address": secrets.address_digest,
        "password": secrets.password_digest,
        "audit": secrets.audit_digest,
        "subject": lambda data: secrets.subject_digest("kind", data.decode("latin-1")),
        "other subject": lambda data: secrets.subject_digest("other kind", data.decode("latin-1")),
        "pseudonym": lambda data: secrets.pseudonym("acc", data.decode("latin-1")).encode(),
        "pepper": lambda _: secrets.pepper,
    }
    for each in (value, b"", *(bytes([n]) * 32 for n in range(200))):
        results = {name: make(each) for name, make in purposes.items()}
        assert len(set(results.values())) == len(purposes)
        assert each not in results.values()
    other = Secrets(b"n" * 32)
    assert other.key_digest(value) != secrets.key_digest(value)
    assert other.key_id != secrets.key_id


@given(st.text(), st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_a_sealed_value_opens_only_where_it_was_sealed(plain, table, row):
    secrets = Secrets(b"m" * 32)
    envelope = secrets.seal(plain, table=table, row=row)
    assert secrets.unseal(envelope, table=table, row=row) == plain
    for other_table, other_row in ((table + "x", row), (table, row + "x"), (table[1:], row)):
        with pytest.raises(SecretsError):
            secrets.unseal(envelope, table=other_table, row=other_row)


def test_no_changed_byte_of_an_envelope_opens():
    secrets = Secrets(b"m" * 32)
    envelope = secrets.seal("sk-upstream", table="providers", row="openai")
    assert b"sk-upstream" not in envelope
    for index in range(len(envelope)):
        damaged = bytearray(envelope)
        damaged[index] ^= 1
        with pytest.raises(SecretsError):
            secrets.unseal(bytes(damaged), table="providers", row="openai")
    for length in range(len(envelope)):
        with pytest.raises(SecretsError):
            secrets.unseal(envelope[:length], table="providers", row="openai")
    with pytest.raises(SecretsError, match=r"restore the secret\.key"):
        Secrets(b"n" * 32).unseal(envelope, table="providers", row="openai")


def test_two_seals_of_one_value_differ():
    secrets = Secrets(b"m" * 32)
    assert secrets.seal("v", table="t", row="r") != secrets.seal("v", table="t", row="r")


def test_repr_shows_no_key():
    secrets = Secrets(b"m" * 32)
    assert secrets.pepper.hex() not in repr(secrets) and "pepper" not in repr(secrets)


def test_a_pseudonym_is_stable_and_apart_for_every_account():
    secrets = Secrets(b"m" * 32)
    assert secrets.pseudonym("acc_1", "u") == secrets.pseudonym("acc_1", "u")
    assert secrets.pseudonym("acc_1", "u") != secrets.pseudonym("acc_2", "u")
    assert "u@example.com" not in secrets.pseudonym("acc_1", "u@example.com\ud800")

"""The table of roles: least privilege, said once more in another form."""

import pytest

from gateway.platform.accounts.roles import ACTIONS, OWN, ROLES, TABLE, is_administrative, may

WRITES = {action for action in ACTIONS - OWN if not action.endswith((".read", ".export"))}


def test_everybody_has_their_own_and_a_member_no_more():
    assert set(TABLE) == set(ROLES)
    assert all(actions >= OWN for actions in TABLE.values())
    assert TABLE["member"] == OWN
    assert not any(is_administrative(action) for action in OWN)


def test_an_auditor_reads_everything_and_changes_nothing():
    reads = {action for action in ACTIONS if action.endswith(".read")}
    assert reads <= TABLE["auditor"] and not TABLE["auditor"] & WRITES


@pytest.mark.parametrize(
    ("action", "roles"),
    [
        ("accounts.role", {"administrator"}),
        ("accounts.suspend", {"administrator"}),
        ("accounts.link", {"administrator"}),
        ("accounts.erase", {"administrator"}),
        ("accounts.age", {"support", "administrator"}),
        ("credits.decide", {"finance", "administrator"}),
        ("catalog.write", {"operator", "administrator"}),
        ("audit.read", {"auditor", "administrator"}),
        ("breaches.read", {"auditor", "administrator"}),
        ("breaches.write", {"administrator"}),
        ("agreements.read", {"operator", "auditor", "administrator"}),
        ("agreements.write", {"administrator"}),
        ("attestations.read", {"auditor", "administrator"}),
        ("attestations.write", {"administrator"}),
        ("requests.read", {"support", "operator", "auditor", "administrator"}),
    ],
)
def test_grave_actions_belong_to_few(action, roles):
    assert {role for role in ROLES if may(role, action)} == roles


def test_an_action_that_nobody_has_is_a_mistake():
    with pytest.raises(KeyError):
        may("administrator", "everything")

"""The policy of this place: the numbers of the policy table as they hold under its settings.

What a number is and who states it is `gateway.base.policy`; here stands which value holds, and
whether a preset, a setting or the software itself decided that. It reads settings, no database.
"""

from gateway.platform.policy.numbers import Standing, in_force, report

__all__ = ["Standing", "in_force", "report"]

"""The policy of this place: the numbers that hold under its settings, the versions of its texts.

What a number is and who states it is `gateway.base.policy`; here stands which value holds, and
whether a preset, a setting or the software itself decided that (`numbers`), how two states of the
texts differ (`changes`), and which version of them is in force, announced and told (`versions`).
"""

from gateway.platform.policy.numbers import Standing, in_force, report

__all__ = ["Standing", "in_force", "report"]

"""Incidents and planned maintenance: entered, added to, ended, withdrawn, told to the public."""

from gateway.platform.incidents.board import KINDS, TOLD_DAYS, Announced, Board, Incident
from gateway.platform.incidents.checks import parse_time
from gateway.platform.incidents.incidents import Incidents

__all__ = ["KINDS", "TOLD_DAYS", "Announced", "Board", "Incident", "Incidents", "parse_time"]

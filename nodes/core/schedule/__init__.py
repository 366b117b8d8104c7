"""Everything over time that a user types: values, prompts and seeds."""

from .convert import as_schedule
from .curve import Schedule, StringSchedule, parse_schedule, parse_string_schedule
from .errors import PromptError, ScheduleError
from .seeds import SEED_BEHAVIORS, seed_sequence

__all__ = [
    "SEED_BEHAVIORS",
    "PromptError",
    "Schedule",
    "ScheduleError",
    "StringSchedule",
    "as_schedule",
    "parse_schedule",
    "parse_string_schedule",
    "seed_sequence",
]

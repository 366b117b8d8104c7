"""Everything over time that a user types: values, prompts and seeds."""

from .conditioning import blend_conditionings
from .convert import as_schedule
from .curve import Schedule, StringSchedule, parse_schedule, parse_string_schedule
from .easing import INTERPOLATIONS
from .errors import PromptError, ScheduleError
from .prompt_text import parse_prompts
from .prompts import BLENDS, PromptSchedule
from .seeds import SEED_BEHAVIORS, scheduled_seeds, seed_sequence

__all__ = [
    "BLENDS",
    "INTERPOLATIONS",
    "SEED_BEHAVIORS",
    "PromptError",
    "PromptSchedule",
    "Schedule",
    "ScheduleError",
    "StringSchedule",
    "as_schedule",
    "blend_conditionings",
    "parse_prompts",
    "parse_schedule",
    "parse_string_schedule",
    "scheduled_seeds",
    "seed_sequence",
]

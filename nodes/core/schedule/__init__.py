"""Everything over time that a user types: values, prompts and seeds."""

from .compose import composition
from .conditioning import blend_conditionings, compose_conditionings
from .convert import as_schedule
from .curve import Schedule, StringSchedule, parse_schedule, parse_string_schedule
from .easing import INTERPOLATIONS
from .errors import PromptError, ScheduleError, TimelineError
from .formulas import WEIGHTS, named_weights
from .prompt_text import parse_prompts
from .prompts import BLENDS, PromptSchedule
from .seeds import SEED_BEHAVIORS, scheduled_seeds, seed_sequence
from .timeline import Timeline, timeline_from_schedules
from .timeline_json import parse_timeline

__all__ = [
    "BLENDS",
    "INTERPOLATIONS",
    "SEED_BEHAVIORS",
    "WEIGHTS",
    "PromptError",
    "PromptSchedule",
    "Schedule",
    "ScheduleError",
    "StringSchedule",
    "Timeline",
    "TimelineError",
    "as_schedule",
    "blend_conditionings",
    "compose_conditionings",
    "composition",
    "named_weights",
    "parse_prompts",
    "parse_schedule",
    "parse_string_schedule",
    "parse_timeline",
    "scheduled_seeds",
    "seed_sequence",
    "timeline_from_schedules",
]

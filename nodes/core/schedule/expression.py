"""Formulas of a frame: checked against what is allowed, then evaluated by numexpr over all their frames at once.

The user's text never reaches numexpr: it is parsed with `ast`, every node is checked, and numexpr gets a text that
`lowering` writes from the tree.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .errors import ExpressionError, shorten
from .lowering import Bounds, Program, lower

#: Longest formula, in characters; the longest that Deforum's users share are a tenth of it.
MAX_LENGTH = 4000
_MAX_DEPTH = 100
_MAX_NODES = 1500
_STRANGE = re.compile(r"[^\w\s.+\-*/%<>=!&|^~(),]|[^\x00-\x7f]")
# Possessive, so that the exponent of 2e5 is no name.
_NUMBER_THEN_NAME = re.compile(r"(?<![\w.])(?:[0-9][0-9_]*+\.?+[0-9_]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+(?=[A-Za-z_])")
_INT64 = 2**63 - 1


@dataclass(frozen=True)
class Expression:
    """A formula of `t` (frame index), `s` (seed) and `max_f` (last frame). Made by `parse_expression`."""

    text: str
    names: frozenset[str] = field(compare=False)
    _tree: ast.expr = field(compare=False, repr=False)

    def evaluate(self, frames: np.ndarray, seed: int, max_f: int) -> np.ndarray:
        """Its value at every frame: frames int64 (F,), any order; returns (F,), float64 or int64, not seen for NaN.

        Comparisons give 0 or 1. Whole numbers stay whole (int64) as long as they surely fit; `/` is true division.
        Raises ExpressionError where it has no value at all (a division of constants by zero, a power too large).
        """
        seed_fits = abs(seed) <= _INT64
        bounds = Bounds(t=_largest(frames), s=abs(seed) if seed_fits else None, max_f=abs(max_f))
        values: dict[str, np.ndarray] = {
            "t": frames,
            "s": np.asarray(seed if seed_fits else float(seed)),
            "max_f": np.asarray(max_f, np.int64),
            "one": np.asarray(1, np.int64),
        }
        result = _run(_program(self, bounds), values)
        if result.dtype == np.bool_ or result.dtype.kind == "i":
            result = result.astype(np.int64)
        elif result.dtype.kind == "c":
            raise ExpressionError("it has no real value: a fractional power of a negative number, perhaps")
        return np.broadcast_to(result, frames.shape).copy()

    def sample(self, frames: np.ndarray, seed: int, max_f: int) -> np.ndarray:
        """`evaluate` as float64; raises ExpressionError, with `.frame`, at the first frame without a finite value."""
        values = self.evaluate(frames, seed, max_f).astype(np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            first = int(np.argmin(finite))
            kind = "not a number" if np.isnan(values[first]) else "infinite"
            raise ExpressionError(
                f"({shorten(self.text)}) is {kind} at frame {frames[first]}; check for a division by zero, a root or "
                "logarithm of a negative number, or a power too large",
                frame=int(frames[first]),
            )
        return values


@lru_cache(maxsize=1024)
def _program(expression: Expression, bounds: Bounds) -> Program:
    """Written once an animation: a schedule may be sampled many times, and writing costs as much as sampling."""
    return lower(expression._tree, bounds)


@lru_cache(maxsize=1024)
def parse_expression(text: str) -> Expression:
    """Checks a formula; raises ExpressionError that says what is not allowed, with its column."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the formula is {len(text)} characters long; {MAX_LENGTH} is the most")
    if not text.strip():
        raise ExpressionError("there is no value; write a number or a formula such as sin(t/10)", 1)
    if strange := _STRANGE.search(text):
        raise ExpressionError(_strange_reason(strange[0]), strange.start() + 1)
    if joined := _NUMBER_THEN_NAME.search(text):
        reason = (
            f"an operator is missing behind {shorten(joined[0], 20)}; to multiply, write {shorten(joined[0], 20)}*..."
        )
        raise ExpressionError(reason, joined.end() + 1)
    tree = _parse(text)
    _check_size(tree)
    # With bounds as they usually are, so that a wrong use is told before anything runs.
    lower(tree, Bounds(t=10**6, s=2**32, max_f=10**6))
    names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return Expression(text.strip(), names, tree)


def _parse(text: str) -> ast.expr:
    # One line, and nothing before it: then a column of the tree is a column of the text.
    line = re.sub(r"\s", " ", text)
    lead = len(line) - len(line.lstrip())
    try:
        with warnings.catch_warnings():
            # Python warns of `1if`; what is wrong with it is said below.
            warnings.simplefilter("ignore")
            tree = ast.parse(line[lead:], mode="eval").body
    except SyntaxError as error:
        column = min(error.offset or 1, len(line) - lead) + lead
        raise ExpressionError(f"({shorten(text)}) is not a formula: {_syntax_reason(error)}", column) from error
    except (RecursionError, MemoryError) as error:
        raise ExpressionError("the formula is nested too deeply", 1) from error
    except ValueError as error:
        raise ExpressionError(f"({shorten(text)}) is not a formula", 1) from error
    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            node.col_offset += lead
    return tree


def _syntax_reason(error: SyntaxError) -> str:
    message = (error.msg or "").split(". ")[0]
    known = (
        "parenthes",
        "was never closed",
        "unmatched",
        "decimal literal",
        "leading zeros",
        "does not match",
        "digit",
    )
    return message if any(word in message for word in known) else "something is missing or too much here"


def _strange_reason(character: str) -> str:
    hints = {
        "×": " (write * to multiply)",
        "·": " (write * to multiply)",
        "÷": " (write / to divide)",
        "−": " (write a plain - for minus)",
        "–": " (write a plain - for minus)",
        "π": " (write pi)",
        "²": " (write **2)",
        "[": " (write round brackets)",
        "{": " (write round brackets)",
        ":": " (put a comma between two keys)",
        "'": " (it is of numbers, and has no texts)",
        '"': " (it is of numbers, and has no texts)",
        "`": " (backticks are for prompts)",
    }
    return f"{character!r} cannot stand in a formula{hints.get(character, '')}"


def _check_size(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    depth = count = 0
    while level:
        depth += 1
        count += len(level)
        if depth > _MAX_DEPTH or count > _MAX_NODES:
            raise ExpressionError("the formula is nested too deeply or too long; give it in simpler terms", 1)
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]


def _largest(frames: np.ndarray) -> int:
    return int(np.abs(frames).max()) if frames.size else 0


def _run(program: Program, values: dict[str, np.ndarray]) -> np.ndarray:
    import numexpr

    result = np.asarray(0.0)
    for name, text in program.steps:
        try:
            with np.errstate(all="ignore"):
                result = numexpr.evaluate(text, local_dict=values, global_dict={}, sanitize=False)
        except ZeroDivisionError as error:
            raise ExpressionError("it divides by zero") from error
        except OverflowError as error:
            raise ExpressionError("a number in it grows too large") from error
        except (ValueError, TypeError, KeyError, SyntaxError, RuntimeError, MemoryError) as error:
            # numexpr's own limits: constants, inputs and nesting of one program.
            raise ExpressionError("the formula is too long or nested too deeply; give it in simpler terms") from error
        values[name] = result
    return result

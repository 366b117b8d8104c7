"""Parts of a numexpr text that know how tightly they bind, and whether they are whole numbers."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass

from .errors import ExpressionError

_SAFE_INT = 2**62
_SAFE_SHIFT = 62

# How tightly a text binds, as in Python.
COMPARE, OR, XOR, AND, SHIFT, ADD, MUL, UNARY, POW, ATOM = range(10)


@dataclass(frozen=True)
class Term:
    """Part of a numexpr text: kind is bool, int or float; bound the largest absolute value that an int can take."""

    text: str
    level: int
    kind: str
    bound: int = 0

    def at(self, level: int) -> str:
        """The text, in brackets where it binds less tightly than `level`."""
        return self.text if self.level >= level else f"({self.text})"


ZERO = Term("0", ATOM, "int")
_VARIABLE = re.compile(r"\b(?:t|s|max_f|one|part[0-9]+)\b")


def is_variable(term: Term) -> bool:
    """Whether numexpr sees more than constants in it, which Python would work out by itself."""
    return _VARIABLE.search(term.text) is not None


def comparison(left: Term, sign: str, right: Term) -> Term:
    """Of kind bool."""
    # numexpr would leave a comparison of two constants to Python, whose `True` then answers ~ with -2.
    constant = not (is_variable(left) or is_variable(right))
    first = f"one*{left.at(UNARY)}" if constant else left.at(OR)
    return Term(f"{first} {sign} {right.at(OR)}", COMPARE, "bool")


def as_float(term: Term) -> Term:
    """The number as one that cannot overflow at 64 bits."""
    return term if term.kind == "float" else Term(f"1.0*{term.at(UNARY)}", MUL, "float")


def quotient(left: Term, right: Term) -> Term:
    """True division."""
    return Term(f"{left.at(MUL)}/{right.at(UNARY)}", MUL, "float")


def arithmetic(sign: str, level: int, left: Term, right: Term) -> Term:
    """+, -, * or %: whole numbers stay whole where the result surely fits."""
    whole = left.kind == right.kind == "int"
    bound = {"*": left.bound * right.bound, "%": right.bound}.get(sign, left.bound + right.bound)
    if whole and bound > _SAFE_INT:
        left, whole = as_float(left), False
    text = f"{left.at(level)}{sign}{right.at(level + 1)}"
    return Term(text, level, "int" if whole else "float", bound if whole else 0)


def power(node: ast.BinOp, left: Term, right: Term) -> Term:
    """A whole number to a small constant power stays whole where it surely fits."""
    exponent = node.right.value if isinstance(node.right, ast.Constant) else None
    if left.kind == "int" and isinstance(exponent, int) and 0 <= exponent <= _SAFE_SHIFT:
        bound = left.bound**exponent
        if bound <= _SAFE_INT:
            return Term(f"{left.at(ATOM)}**{exponent}", POW, "int", bound)
    return Term(f"{as_float(left).at(ATOM)}**{right.at(ATOM)}", POW, "float")


def shift(node: ast.BinOp, left: Term, right: Term) -> Term:
    """Whole numbers, by a constant; raises ExpressionError."""
    sign = "<<" if isinstance(node.op, ast.LShift) else ">>"
    if "float" in (left.kind, right.kind):
        raise ExpressionError(f"{sign} takes whole numbers", column(node))
    amount = node.right.value if isinstance(node.right, ast.Constant) else None
    if not isinstance(amount, int) or amount > _SAFE_SHIFT or (sign == "<<" and left.bound << amount > _SAFE_INT):
        raise ExpressionError(
            f"{sign} takes a small whole number on its right; multiply or divide instead", column(node)
        )
    bound = left.bound << amount if sign == "<<" else left.bound
    return Term(f"{left.at(SHIFT)}{sign}{amount}", SHIFT, "int", bound)


def number_term(value: float, node: ast.expr) -> Term:
    """A number of the user's; raises ExpressionError where it is infinite."""
    if isinstance(value, int) and value <= _SAFE_INT:
        return Term(str(value), ATOM, "int", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise ExpressionError("this number is too large", column(node))
    return Term(repr(number), ATOM, "float")


def column(node: ast.expr) -> int:
    """1-based."""
    return node.col_offset + 1

"""From a formula's syntax tree to numexpr: every node is either known here or refused."""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

from .errors import ExpressionError, shorten
from .terms import (
    ADD,
    AND,
    ATOM,
    MUL,
    OR,
    SHIFT,
    UNARY,
    XOR,
    ZERO,
    Term,
    arithmetic,
    as_float,
    column,
    comparison,
    is_variable,
    number_term,
    power,
    quotient,
    shift,
)

#: What a formula may name besides functions.
CONSTANTS = {"pi": math.pi, "e": math.e}
VARIABLES = ("t", "s", "max_f")
# A part whose text is longer is evaluated on its own: numexpr has some 30 inputs and 250 constants a program.
_LONG = 160


@dataclass(frozen=True)
class Bounds:
    """The largest absolute value of each variable; `s` is None where the seed is no 64-bit integer."""

    t: int
    s: int | None
    max_f: int


@dataclass(frozen=True)
class Program:
    """What numexpr is to evaluate, one after the other: (name of the result, text). The last is the value."""

    steps: tuple[tuple[str, str], ...]


def lower(tree: ast.expr, bounds: Bounds) -> Program:
    """Checks the tree and writes it for numexpr; raises ExpressionError with the column of what is not allowed."""
    lowering = _Lowering(bounds)
    result = lowering.visit(tree)
    return Program((*lowering.steps, ("value", result.text)))


class _Lowering:
    """One pass over one tree. Sub-terms that are needed twice are evaluated first, so that the text stays short."""

    def __init__(self, bounds: Bounds):
        self.bounds = bounds
        self.steps: list[tuple[str, str]] = []

    # ---- nodes

    def visit(self, node: ast.expr) -> Term:
        method = self._VISITORS.get(type(node))
        if method is None:
            what = _REFUSED.get(type(node), "this")
            raise ExpressionError(f"{what} is not allowed in a formula", column(node))
        term = method(self, node)
        return self._shared(term) if len(term.text) > _LONG else term

    def _constant(self, node: ast.Constant) -> Term:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ExpressionError(f"{shorten(repr(value))} is not a number", column(node))
        return number_term(value, node)

    def _name(self, node: ast.Name) -> Term:
        if node.id in CONSTANTS:
            return Term(repr(CONSTANTS[node.id]), ATOM, "float")
        if node.id in VARIABLES:
            bound = getattr(self.bounds, node.id)
            return Term(node.id, ATOM, "float") if bound is None else Term(node.id, ATOM, "int", bound)
        if node.id in FUNCTIONS:
            raise ExpressionError(f"{node.id} is a function: write {node.id}(...)", column(node))
        raise ExpressionError(
            f"{shorten(node.id)!r} is not known; a formula may name t, s, max_f, pi, e and functions such as sin"
            f"{_hint(node.id, [*VARIABLES, *FUNCTIONS])}",
            column(node),
        )

    def _unary(self, node: ast.UnaryOp) -> Term:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return Term(f"~{self._truth(operand).at(UNARY)}", UNARY, "bool")
        if isinstance(node.op, ast.Invert):
            if operand.kind == "float":
                raise ExpressionError("~ takes a comparison or a whole number", column(node))
            return Term(f"~{operand.at(UNARY)}", UNARY, operand.kind, operand.bound + 1)
        number = self._number(operand)
        if isinstance(node.op, ast.UAdd):
            return number
        return Term(f"-{number.at(UNARY)}", UNARY, number.kind, number.bound)

    def _binary(self, node: ast.BinOp) -> Term:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor):
            return self._bitwise(node, left, right)
        left, right = self._number(left), self._number(right)
        if isinstance(node.op, ast.LShift | ast.RShift):
            return shift(node, left, right)
        if isinstance(node.op, ast.Pow):
            return power(node, left, right)
        if isinstance(node.op, ast.Div):
            return quotient(left, right)
        if isinstance(node.op, ast.FloorDiv):
            return Term(f"floor({quotient(left, right).text})", ATOM, "float")
        if type(node.op) not in _ARITHMETIC:
            raise ExpressionError("this operator is not allowed in a formula", column(node))
        return arithmetic(*_ARITHMETIC[type(node.op)], left, right)

    def _bitwise(self, node: ast.BinOp, left: Term, right: Term) -> Term:
        sign, level = {ast.BitAnd: ("&", AND), ast.BitOr: ("|", OR), ast.BitXor: ("^", XOR)}[type(node.op)]
        if left.kind == right.kind == "bool":
            if sign == "^":
                left, right = self._number(left), self._number(right)
                return comparison(left, "!=", right)
            return Term(f"{left.at(level)} {sign} {right.at(level + 1)}", level, "bool")
        left, right = self._number(left), self._number(right)
        if "float" in (left.kind, right.kind):
            hint = "; a power is written **" if sign == "^" else "; put comparisons in brackets: (t > 5) & (t < 9)"
            raise ExpressionError(f"{sign} joins comparisons or whole numbers{hint}", column(node))
        bound = 2 ** max(left.bound, right.bound).bit_length()
        if not is_variable(left):
            left = Term(f"one*{left.at(UNARY)}", MUL, "int", left.bound)
        return Term(f"{left.at(level)} {sign} {right.at(level + 1)}", level, "int", bound)

    def _bool(self, node: ast.BoolOp) -> Term:
        sign, level = ("&", AND) if isinstance(node.op, ast.And) else ("|", OR)
        return self._joined([self._truth(self.visit(value)) for value in node.values], sign, level)

    def _compare(self, node: ast.Compare) -> Term:
        terms = [self._number(self.visit(value)) for value in (node.left, *node.comparators)]
        if len(terms) > 2:
            terms = [self._shared(term) for term in terms]
        parts = []
        for left, operator, right in zip(terms, node.ops, terms[1:], strict=False):
            sign = _COMPARISONS.get(type(operator))
            if sign is None:
                raise ExpressionError("only < <= > >= == != compare", column(node))
            parts.append(comparison(left, sign, right))
        return self._joined(parts, "&", AND)

    def _call(self, node: ast.Call) -> Term:
        if not isinstance(node.func, ast.Name):
            raise ExpressionError("only a function's name can be called; is an operator missing?", column(node))
        name = node.func.id
        if name not in FUNCTIONS:
            reason = f"{name!r} is a value, not a function; is a * missing?"
            if name not in VARIABLES and name not in CONSTANTS:
                reason = f"there is no function {shorten(name)!r}{_hint(name, [*FUNCTIONS])}"
            raise ExpressionError(reason, column(node))
        function = FUNCTIONS[name]
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise ExpressionError(f"{name} takes plain values only", column(node))
        count = len(node.args)
        if count < function.least or (function.most is not None and count > function.most):
            raise ExpressionError(f"{name} takes {function.wanted()}, not {count}", column(node))
        return function.write(self, [self.visit(argument) for argument in node.args])

    _VISITORS: dict[type, Callable] = {  # noqa: RUF012 - filled once
        ast.Constant: _constant,
        ast.Name: _name,
        ast.UnaryOp: _unary,
        ast.BinOp: _binary,
        ast.BoolOp: _bool,
        ast.Compare: _compare,
        ast.Call: _call,
    }

    # ---- terms

    def _number(self, term: Term) -> Term:
        """A comparison as 0 or 1. `one` is an int64 variable: numexpr's own integers have 32 bits."""
        return Term(f"where({term.text}, one, 0)", ATOM, "int", 1) if term.kind == "bool" else term

    def _truth(self, term: Term) -> Term:
        return term if term.kind == "bool" else comparison(term, "!=", ZERO)

    def _joined(self, parts: list[Term], sign: str, level: int) -> Term:
        joined = parts[0]
        for part in parts[1:]:
            joined = Term(f"{joined.at(level)} {sign} {part.at(level + 1)}", level, "bool")
            joined = self._shared(joined) if len(joined.text) > _LONG else joined
        return joined

    def _shared(self, term: Term) -> Term:
        """The term, evaluated on its own where it is more than a name or a number: its text can stand twice then."""
        if term.level == ATOM and "(" not in term.text:
            return term
        name = f"part{len(self.steps)}"
        self.steps.append((name, term.text))
        return Term(name, ATOM, term.kind, term.bound)

    # ---- functions

    def _plain(self, name: str, *terms: Term) -> Term:
        return Term(f"{name}({', '.join(self._number(term).text for term in terms)})", ATOM, "float")

    def _where(self, condition: Term, yes: Term, no: Term) -> Term:
        condition, yes, no = self._truth(condition), self._number(yes), self._number(no)
        if yes.kind == no.kind == "int":
            text = f"where({condition.text}, one*{yes.at(UNARY)}, {no.text})"
            return Term(text, ATOM, "int", max(yes.bound, no.bound))
        return Term(f"where({condition.text}, {yes.text}, {no.text})", ATOM, "float")

    def _choose(self, sign: str, *terms: Term) -> Term:
        chosen = self._shared(self._number(terms[0]))
        for term in terms[1:]:
            other = self._shared(self._number(term))
            chosen = self._shared(self._where(comparison(chosen, sign, other), chosen, other))
        return chosen

    def _clip(self, value: Term, low: Term, high: Term) -> Term:
        return self._choose("<", self._choose(">", value, low), high)

    def _abs(self, term: Term) -> Term:
        number = self._number(term)
        if number.kind == "float":
            return self._plain("abs", number)
        number = self._shared(number)
        negated = Term(f"-{number.text}", UNARY, "int", number.bound)
        return self._where(comparison(number, "<", ZERO), negated, number)

    def _sign(self, term: Term) -> Term:
        number = self._shared(self._number(term))
        negative = self._where(comparison(number, "<", ZERO), Term("-1", UNARY, "int", 1), ZERO)
        return self._where(comparison(number, ">", ZERO), Term("1", ATOM, "int", 1), negative)

    def _trunc(self, term: Term) -> Term:
        number = self._shared(self._number(term))
        up, down = self._plain("ceil", number), self._plain("floor", number)
        return self._where(comparison(number, "<", ZERO), up, down)

    def _round(self, term: Term) -> Term:
        """To the nearest whole number, halves to the even one."""
        number = self._shared(self._number(term))
        up = self._shared(Term(f"floor({number.text} + 0.5)", ATOM, "float"))
        half = comparison(Term(f"{up.text} - {number.text}", ADD, "float"), "==", Term("0.5", ATOM, "float"))
        odd = comparison(Term(f"{up.text} % 2", MUL, "float"), "!=", ZERO)
        both = Term(f"{half.at(SHIFT)} & {odd.at(SHIFT)}", AND, "bool")
        return self._where(both, Term(f"{up.text} - 1", ADD, "float"), up)

    def _hypot(self, a: Term, b: Term) -> Term:
        x, y = (self._shared(as_float(self._number(term))).text for term in (a, b))
        return Term(f"sqrt({x}*{x} + {y}*{y})", ATOM, "float")

    def _is_nan(self, term: Term) -> Term:
        number = self._shared(self._number(term))
        return comparison(number, "!=", number)


@dataclass(frozen=True)
class _Function:
    least: int
    most: int | None
    write: Callable[[_Lowering, list[Term]], Term]

    def wanted(self) -> str:
        values = "1 value" if self.least == 1 else f"{self.least} values"
        return values if self.most == self.least else f"{values} or more"


def _with(count: int, method: Callable[..., Term], *first: str, more: bool = False) -> _Function:
    return _Function(count, None if more else count, lambda lowering, terms: method(lowering, *first, *terms))


_PLAIN = (
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan"),
    *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
    *("log", "log10", "log1p", "exp", "expm1", "sqrt", "floor", "ceil"),
)

#: What a formula may call: numexpr's functions of real numbers, and min, max and clip.
FUNCTIONS: dict[str, _Function] = {
    **{name: _with(1, _Lowering._plain, name) for name in _PLAIN},
    "arctan2": _with(2, _Lowering._plain, "arctan2"),
    "fmod": _with(2, _Lowering._plain, "fmod"),
    "hypot": _with(2, _Lowering._hypot),
    "log2": _Function(
        1, 1, lambda low, terms: Term(f"log({low._number(terms[0]).text})/{math.log(2)!r}", MUL, "float")
    ),
    "abs": _with(1, _Lowering._abs),
    "sign": _with(1, _Lowering._sign),
    "trunc": _with(1, _Lowering._trunc),
    "round": _with(1, _Lowering._round),
    "isnan": _with(1, _Lowering._is_nan),
    "ones_like": _Function(1, 1, lambda low, terms: Term("one", ATOM, "int", 1)),
    "where": _with(3, _Lowering._where),
    "min": _with(2, _Lowering._choose, "<", more=True),
    "max": _with(2, _Lowering._choose, ">", more=True),
    "minimum": _with(2, _Lowering._choose, "<"),
    "maximum": _with(2, _Lowering._choose, ">"),
    "clip": _with(3, _Lowering._clip),
}

_ARITHMETIC = {ast.Add: ("+", ADD), ast.Sub: ("-", ADD), ast.Mult: ("*", MUL), ast.Mod: ("%", MUL)}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_REFUSED: dict[type, str] = {
    ast.IfExp: "'if ... else' (write where(condition, yes, no), it)",
    ast.Attribute: "a dot after a name",
    ast.Tuple: "a comma outside a function",
    ast.Lambda: "lambda",
    ast.Subscript: "an index",
}


def _hint(name: str, known: list[str]) -> str:
    aliases = {
        "asin": "arcsin",
        "acos": "arccos",
        "atan": "arctan",
        "atan2": "arctan2",
        "sine": "sin",
        "cosine": "cos",
        "tangent": "tan",
        "ln": "log",
        "sqr": "sqrt, or **2",
        "mod": "% for remainders",
        "int": "trunc",
        "f": "t",
        "n": "t",
        "x": "t",
        "frame": "t",
        "frame_idx": "t",
        "time": "t",
        "seed": "s",
        "max_frames": "max_f + 1",
        "num_frames": "max_f + 1",
        "pow": "** for powers",
    }
    if name.lower() in aliases:
        return f"; did you mean {aliases[name.lower()]}?"
    near = difflib.get_close_matches(name.lower(), known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""

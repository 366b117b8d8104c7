"""From a formula's syntax tree to numexpr: every node is either known here or refused."""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from .errors import ExpressionError

#: What a formula may name besides functions.
CONSTANTS = {"pi": math.pi, "e": math.e}
VARIABLES = ("t", "s", "max_f")
_SAFE_INT = 2**62
_SAFE_SHIFT = 62
# A part whose text is longer is evaluated on its own: numexpr has some 30 inputs and 250 constants a program.
_LONG = 160

# How tightly a text binds, as in Python.
_COMPARE, _OR, _XOR, _AND, _SHIFT, _ADD, _MUL, _UNARY, _POW, _ATOM = range(10)


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


@dataclass(frozen=True)
class _Term:
    """Part of a numexpr text: kind is bool, int or float; bound the largest absolute value that an int can take."""

    text: str
    level: int
    kind: str
    bound: int = 0

    def at(self, level: int) -> str:
        """The text, in brackets where it binds less tightly than `level`."""
        return self.text if self.level >= level else f"({self.text})"


_ZERO = _Term("0", _ATOM, "int")
_VARIABLE = re.compile(r"\b(?:t|s|max_f|one|part[0-9]+)\b")


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

    def visit(self, node: ast.expr) -> _Term:
        method = self._VISITORS.get(type(node))
        if method is None:
            what = _REFUSED.get(type(node), "this")
            raise ExpressionError(f"{what} is not allowed in a formula", _column(node))
        term = method(self, node)
        return self._shared(term) if len(term.text) > _LONG else term

    def _constant(self, node: ast.Constant) -> _Term:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ExpressionError(f"{value!r} is not a number", _column(node))
        return _number(value, node)

    def _name(self, node: ast.Name) -> _Term:
        if node.id in CONSTANTS:
            return _Term(repr(CONSTANTS[node.id]), _ATOM, "float")
        if node.id in VARIABLES:
            bound = getattr(self.bounds, node.id)
            return _Term(node.id, _ATOM, "float") if bound is None else _Term(node.id, _ATOM, "int", bound)
        if node.id in FUNCTIONS:
            raise ExpressionError(f"{node.id} is a function: write {node.id}(...)", _column(node))
        raise ExpressionError(
            f"{node.id!r} is not known; a formula may name t, s, max_f, pi, e and functions such as sin"
            f"{_hint(node.id, [*VARIABLES, *FUNCTIONS])}",
            _column(node),
        )

    def _unary(self, node: ast.UnaryOp) -> _Term:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return _Term(f"~{self._truth(operand).at(_UNARY)}", _UNARY, "bool")
        if isinstance(node.op, ast.Invert):
            if operand.kind == "float":
                raise ExpressionError("~ takes a comparison or a whole number", _column(node))
            return _Term(f"~{operand.at(_UNARY)}", _UNARY, operand.kind, operand.bound + 1)
        number = self._number(operand)
        if isinstance(node.op, ast.UAdd):
            return number
        return _Term(f"-{number.at(_UNARY)}", _UNARY, number.kind, number.bound)

    def _binary(self, node: ast.BinOp) -> _Term:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor):
            return self._bitwise(node, left, right)
        left, right = self._number(left), self._number(right)
        if isinstance(node.op, ast.LShift | ast.RShift):
            return _shift(node, left, right)
        if isinstance(node.op, ast.Pow):
            return _power(node, left, right)
        if isinstance(node.op, ast.Div):
            return _quotient(left, right)
        if isinstance(node.op, ast.FloorDiv):
            return _Term(f"floor({_quotient(left, right).text})", _ATOM, "float")
        if type(node.op) not in _ARITHMETIC:
            raise ExpressionError("this operator is not allowed in a formula", _column(node))
        return _arithmetic(*_ARITHMETIC[type(node.op)], left, right)

    def _bitwise(self, node: ast.BinOp, left: _Term, right: _Term) -> _Term:
        sign, level = {ast.BitAnd: ("&", _AND), ast.BitOr: ("|", _OR), ast.BitXor: ("^", _XOR)}[type(node.op)]
        if left.kind == right.kind == "bool":
            if sign == "^":
                left, right = self._number(left), self._number(right)
                return _comparison(left, "!=", right)
            return _Term(f"{left.at(level)} {sign} {right.at(level + 1)}", level, "bool")
        left, right = self._number(left), self._number(right)
        if "float" in (left.kind, right.kind):
            hint = "; a power is written **" if sign == "^" else "; put comparisons in brackets: (t > 5) & (t < 9)"
            raise ExpressionError(f"{sign} joins comparisons or whole numbers{hint}", _column(node))
        bound = 2 ** max(left.bound, right.bound).bit_length()
        if not _VARIABLE.search(left.text):
            left = _Term(f"one*{left.at(_UNARY)}", _MUL, "int", left.bound)
        return _Term(f"{left.at(level)} {sign} {right.at(level + 1)}", level, "int", bound)

    def _bool(self, node: ast.BoolOp) -> _Term:
        sign, level = ("&", _AND) if isinstance(node.op, ast.And) else ("|", _OR)
        return self._joined([self._truth(self.visit(value)) for value in node.values], sign, level)

    def _compare(self, node: ast.Compare) -> _Term:
        terms = [self._number(self.visit(value)) for value in (node.left, *node.comparators)]
        if len(terms) > 2:
            terms = [self._shared(term) for term in terms]
        parts = []
        for left, operator, right in zip(terms, node.ops, terms[1:], strict=False):
            sign = _COMPARISONS.get(type(operator))
            if sign is None:
                raise ExpressionError("only < <= > >= == != compare", _column(node))
            parts.append(_comparison(left, sign, right))
        return self._joined(parts, "&", _AND)

    def _call(self, node: ast.Call) -> _Term:
        if not isinstance(node.func, ast.Name):
            raise ExpressionError("only a function's name can be called; is an operator missing?", _column(node))
        name = node.func.id
        if name not in FUNCTIONS:
            reason = f"{name!r} is a value, not a function; is a * missing?"
            if name not in VARIABLES and name not in CONSTANTS:
                reason = f"there is no function {name!r}{_hint(name, [*FUNCTIONS])}"
            raise ExpressionError(reason, _column(node))
        function = FUNCTIONS[name]
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise ExpressionError(f"{name} takes plain values only", _column(node))
        count = len(node.args)
        if count < function.least or (function.most is not None and count > function.most):
            raise ExpressionError(f"{name} takes {function.wanted()}, not {count}", _column(node))
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

    def _number(self, term: _Term) -> _Term:
        """A comparison as 0 or 1. `one` is an int64 variable: numexpr's own integers have 32 bits."""
        return _Term(f"where({term.text}, one, 0)", _ATOM, "int", 1) if term.kind == "bool" else term

    def _truth(self, term: _Term) -> _Term:
        return term if term.kind == "bool" else _comparison(term, "!=", _ZERO)

    def _joined(self, parts: list[_Term], sign: str, level: int) -> _Term:
        joined = parts[0]
        for part in parts[1:]:
            joined = _Term(f"{joined.at(level)} {sign} {part.at(level + 1)}", level, "bool")
            joined = self._shared(joined) if len(joined.text) > _LONG else joined
        return joined

    def _shared(self, term: _Term) -> _Term:
        """The term, evaluated on its own where it is more than a name or a number: its text can stand twice then."""
        if term.level == _ATOM and "(" not in term.text:
            return term
        name = f"part{len(self.steps)}"
        self.steps.append((name, term.text))
        return _Term(name, _ATOM, term.kind, term.bound)

    # ---- functions

    def _plain(self, name: str, *terms: _Term) -> _Term:
        return _Term(f"{name}({', '.join(self._number(term).text for term in terms)})", _ATOM, "float")

    def _where(self, condition: _Term, yes: _Term, no: _Term) -> _Term:
        condition, yes, no = self._truth(condition), self._number(yes), self._number(no)
        if yes.kind == no.kind == "int":
            text = f"where({condition.text}, one*{yes.at(_UNARY)}, {no.text})"
            return _Term(text, _ATOM, "int", max(yes.bound, no.bound))
        return _Term(f"where({condition.text}, {yes.text}, {no.text})", _ATOM, "float")

    def _choose(self, sign: str, *terms: _Term) -> _Term:
        chosen = self._shared(self._number(terms[0]))
        for term in terms[1:]:
            other = self._shared(self._number(term))
            chosen = self._shared(self._where(_comparison(chosen, sign, other), chosen, other))
        return chosen

    def _clip(self, value: _Term, low: _Term, high: _Term) -> _Term:
        return self._choose("<", self._choose(">", value, low), high)

    def _abs(self, term: _Term) -> _Term:
        number = self._number(term)
        if number.kind == "float":
            return self._plain("abs", number)
        number = self._shared(number)
        negated = _Term(f"-{number.text}", _UNARY, "int", number.bound)
        return self._where(_comparison(number, "<", _ZERO), negated, number)

    def _sign(self, term: _Term) -> _Term:
        number = self._shared(self._number(term))
        negative = self._where(_comparison(number, "<", _ZERO), _Term("-1", _UNARY, "int", 1), _ZERO)
        return self._where(_comparison(number, ">", _ZERO), _Term("1", _ATOM, "int", 1), negative)

    def _trunc(self, term: _Term) -> _Term:
        number = self._shared(self._number(term))
        up, down = self._plain("ceil", number), self._plain("floor", number)
        return self._where(_comparison(number, "<", _ZERO), up, down)

    def _round(self, term: _Term) -> _Term:
        """To the nearest whole number, halves to the even one."""
        number = self._shared(self._number(term))
        up = self._shared(_Term(f"floor({number.text} + 0.5)", _ATOM, "float"))
        half = _comparison(_Term(f"{up.text} - {number.text}", _ADD, "float"), "==", _Term("0.5", _ATOM, "float"))
        odd = _comparison(_Term(f"{up.text} % 2", _MUL, "float"), "!=", _ZERO)
        both = _Term(f"{half.at(_SHIFT)} & {odd.at(_SHIFT)}", _AND, "bool")
        return self._where(both, _Term(f"{up.text} - 1", _ADD, "float"), up)

    def _hypot(self, a: _Term, b: _Term) -> _Term:
        x, y = (self._shared(_float(self._number(term))).text for term in (a, b))
        return _Term(f"sqrt({x}*{x} + {y}*{y})", _ATOM, "float")

    def _is_nan(self, term: _Term) -> _Term:
        number = self._shared(self._number(term))
        return _comparison(number, "!=", number)


@dataclass(frozen=True)
class _Function:
    least: int
    most: int | None
    write: Callable[[_Lowering, list[_Term]], _Term]

    def wanted(self) -> str:
        values = "1 value" if self.least == 1 else f"{self.least} values"
        return values if self.most == self.least else f"{values} or more"


def _with(count: int, method: Callable[..., _Term], *first: str, more: bool = False) -> _Function:
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
        1, 1, lambda low, terms: _Term(f"log({low._number(terms[0]).text})/{math.log(2)!r}", _MUL, "float")
    ),
    "abs": _with(1, _Lowering._abs),
    "sign": _with(1, _Lowering._sign),
    "trunc": _with(1, _Lowering._trunc),
    "round": _with(1, _Lowering._round),
    "isnan": _with(1, _Lowering._is_nan),
    "ones_like": _Function(1, 1, lambda low, terms: _Term("one", _ATOM, "int", 1)),
    "where": _with(3, _Lowering._where),
    "min": _with(2, _Lowering._choose, "<", more=True),
    "max": _with(2, _Lowering._choose, ">", more=True),
    "minimum": _with(2, _Lowering._choose, "<"),
    "maximum": _with(2, _Lowering._choose, ">"),
    "clip": _with(3, _Lowering._clip),
}

_ARITHMETIC = {ast.Add: ("+", _ADD), ast.Sub: ("-", _ADD), ast.Mult: ("*", _MUL), ast.Mod: ("%", _MUL)}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_REFUSED: dict[type, str] = {
    ast.IfExp: "'if ... else' (write where(condition, yes, no), it)",
    ast.Attribute: "a dot after a name",
    ast.Tuple: "a comma outside a function",
    ast.Lambda: "lambda",
    ast.Subscript: "an index",
}


def _comparison(left: _Term, sign: str, right: _Term) -> _Term:
    # numexpr would leave a comparison of two constants to Python, whose `True` then answers ~ with -2.
    constant = not (_VARIABLE.search(left.text) or _VARIABLE.search(right.text))
    first = f"one*{left.at(_UNARY)}" if constant else left.at(_OR)
    return _Term(f"{first} {sign} {right.at(_OR)}", _COMPARE, "bool")


def _float(term: _Term) -> _Term:
    return term if term.kind == "float" else _Term(f"1.0*{term.at(_UNARY)}", _MUL, "float")


def _quotient(left: _Term, right: _Term) -> _Term:
    return _Term(f"{left.at(_MUL)}/{right.at(_UNARY)}", _MUL, "float")


def _arithmetic(sign: str, level: int, left: _Term, right: _Term) -> _Term:
    whole = left.kind == right.kind == "int"
    bound = {"*": left.bound * right.bound, "%": right.bound}.get(sign, left.bound + right.bound)
    if whole and bound > _SAFE_INT:
        left, whole = _float(left), False
    text = f"{left.at(level)}{sign}{right.at(level + 1)}"
    return _Term(text, level, "int" if whole else "float", bound if whole else 0)


def _power(node: ast.BinOp, left: _Term, right: _Term) -> _Term:
    exponent = node.right.value if isinstance(node.right, ast.Constant) else None
    if left.kind == "int" and isinstance(exponent, int) and 0 <= exponent <= _SAFE_SHIFT:
        bound = left.bound**exponent
        if bound <= _SAFE_INT:
            return _Term(f"{left.at(_ATOM)}**{exponent}", _POW, "int", bound)
    return _Term(f"{_float(left).at(_ATOM)}**{right.at(_ATOM)}", _POW, "float")


def _shift(node: ast.BinOp, left: _Term, right: _Term) -> _Term:
    sign = "<<" if isinstance(node.op, ast.LShift) else ">>"
    if "float" in (left.kind, right.kind):
        raise ExpressionError(f"{sign} takes whole numbers", _column(node))
    amount = node.right.value if isinstance(node.right, ast.Constant) else None
    if not isinstance(amount, int) or amount > _SAFE_SHIFT or (sign == "<<" and left.bound << amount > _SAFE_INT):
        raise ExpressionError(
            f"{sign} takes a small whole number on its right; multiply or divide instead", _column(node)
        )
    bound = left.bound << amount if sign == "<<" else left.bound
    return _Term(f"{left.at(_SHIFT)}{sign}{amount}", _SHIFT, "int", bound)


def _number(value: float, node: ast.expr) -> _Term:
    if isinstance(value, int) and value <= _SAFE_INT:
        return _Term(str(value), _ATOM, "int", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise ExpressionError("this number is too large", _column(node))
    return _Term(repr(number), _ATOM, "float")


def _column(node: ast.expr) -> int:
    return node.col_offset + 1


def _hint(name: str, known: list[str]) -> str:
    aliases = {
        "asin": "arcsin",
        "acos": "arccos",
        "atan": "arctan",
        "atan2": "arctan2",
        "ln": "log",
        "pow": "** for powers",
    }
    if name.lower() in aliases:
        return f"; did you mean {aliases[name.lower()]}?"
    near = difflib.get_close_matches(name.lower(), known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""

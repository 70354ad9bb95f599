"""The grammar of `derive`: text in, a small tree out; nothing in the text is ever executed.

    sum      =  product (("+" | "-") product)*
    product  =  unary (("*" | "/") unary)*
    unary    =  ("+" | "-") unary  |  power
    power    =  atom (("**" | "^") unary)?
    atom     =  number  |  name  |  name "(" sum ("," sum)* ")"  |  "(" sum ")"

The tokenizer and the parser (precedence by recursive descent) are our own instead of Python's
``ast`` with a list of allowed nodes: every limit holds before any work is done (Python's parser
builds the whole tree first, and turns a long literal into an integer), ``^`` can mean a power, a
decimal stays the exact number that was written, every part of the tree knows its place in the text,
and no construct of Python has to be remembered to be forbidden.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from fractions import Fraction
from keyword import iskeyword, issoftkeyword
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CHARACTERS = 1000
MOST_NODES = 160
MOST_VARIABLES = 8
DEEPEST = 32
_MOST_DIGITS = 16
_LARGEST_SCALE = 30  # of the exponent in 1e30
_LONGEST_NAME = 24
_WINDOW = 72  # characters of the text that an error shows

ARITIES = {
    **dict.fromkeys(
        (
            *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp"),
            *("expm1", "log", "log10", "log1p", "log2", "relu", "sigmoid", "sign", "sin", "sinh"),
            *("softplus", "sqrt", "tan", "tanh"),
        ),
        (1, 1),
    ),
    "hypot": (2, 2),
    "max": (2, 4),
    "min": (2, 4),
}
ALIASES = {
    "ln": "log",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctanh": "atanh",
}
CONSTANTS = ("pi", "e")
_NOT_NUMBERS = ("nan", "inf", "infinity", "oo", "zoo")
_RESERVED = ("np", "numpy", "True", "False", "None")

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<sign>\*\*|[-+*/^(),])"
    r"|(?P<space>[ \t\r\n]+)"
)
_HINTS = {
    ".": "attributes are not part of the grammar, and a number needs a digit",
    "[": "subscripts and lists are not part of the grammar; write a variable such as x1",
    "]": "subscripts and lists are not part of the grammar",
    "{": "braces are not part of the grammar; write ( )",
    "}": "braces are not part of the grammar; write ( )",
    "'": "texts are not part of the grammar",
    '"': "texts are not part of the grammar",
    "=": "an equation is not an expression; give its right side alone",
    "<": "a comparison is not an expression",
    ">": "a comparison is not an expression",
    "_": "a name begins with a letter",
    "!": "factorials and negations are not part of the grammar",
    "%": "remainders are not part of the grammar",
    "|": "write abs(…)",
    "@": "matrices are not part of the grammar",
    ":": "lambda, slices and assignments are not part of the grammar",
    "−": "write -",
    "–": "write -",
    "·": "write *",
    "×": "write *",
    "÷": "write /",
    "√": "write sqrt(…)",
    "π": "write pi",
    "²": "write ^2",
    "³": "write ^3",
}


class ExpressionError(ValueError):
    """A text is not an expression of the grammar, or not one that can be derived.

    Parameters
    ----------
    problem : str
        What is wrong, in a sentence.
    text : str
        The whole text.
    start, end : int
        The part of it that is meant.
    """

    def __init__(self, problem: str, text: str, start: int, end: int) -> None:
        self.problem, self.text, self.start, self.end = problem, text, start, end
        super().__init__(f"{problem}\n{pointed(text, start, end)}")


def pointed(text: str, start: int, end: int) -> str:
    """Return the text with a line below it that points at a part.

    Examples
    --------
    >>> print(pointed("x + foo(x)", 4, 7))
      x + foo(x)
          ^~~
    """
    first = max(0, min(start - _WINDOW // 2, len(text) - _WINDOW))
    shown = text[first : first + _WINDOW]
    safe = "".join(c if " " <= c <= "~" else "?" for c in shown)  # one column each, no control
    before = "…" if first else ""
    after = "…" if first + _WINDOW < len(text) else ""
    width = max(1, min(end, first + _WINDOW) - start)
    mark = " " * (start - first + len(before)) + "^" + "~" * (width - 1)
    return f"  {before}{safe}{after}\n  {mark}"


@dataclass(frozen=True, slots=True)
class Span:
    """Where a part of the tree stands in the text: from `start` up to but not including `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Number:
    """A literal, exactly as written: 0.1 is one tenth."""

    value: Fraction
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or one of the constants pi and e."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands and one of the signs ``+ - * / ^``; a leading minus is ``0 - operand``."""

    sign: str
    left: Tree
    right: Tree
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the grammar, by its own name, with its arguments."""

    function: str
    arguments: tuple[Tree, ...]
    span: Span


Tree = Number | Name | Operation | Call


def parts(tree: Tree) -> tuple[Tree, ...]:
    """Return the direct parts of a tree."""
    if isinstance(tree, Operation):
        return tree.left, tree.right
    return tree.arguments if isinstance(tree, Call) else ()


def variables(tree: Tree) -> tuple[str, ...]:
    """Return the names of the variables, in order of first appearance.

    Examples
    --------
    >>> variables(parse("y*x + pi*y"))
    ('y', 'x')
    """
    if isinstance(tree, Name):
        return () if tree.name in CONSTANTS else (tree.name,)
    return tuple(dict.fromkeys(name for part in parts(tree) for name in variables(part)))


def written(tree: Tree) -> str:
    """Return a text that is read as the same tree, every operation in brackets.

    Examples
    --------
    >>> written(parse("-x^2 + 0.5"))
    '((0-(x^2))+(1/2))'
    """
    if isinstance(tree, Number):
        plain = str(tree.value.numerator)
        return plain if tree.value.denominator == 1 else f"({tree.value})"
    if isinstance(tree, Name):
        return tree.name
    if isinstance(tree, Operation):
        return f"({written(tree.left)}{tree.sign}{written(tree.right)})"
    return f"{tree.function}({','.join(map(written, tree.arguments))})"


def parse(text: str) -> Tree:
    """Return the tree of an expression.

    Parameters
    ----------
    text : str
        At most 1,000 characters of ASCII.

    Raises
    ------
    ExpressionError
        If the text is not in the grammar, or is larger or deeper than is allowed.
    TypeError
        If it is not a text.

    Examples
    --------
    >>> tree = parse("2*x")
    >>> tree.sign, tree.left.value, tree.right.name
    ('*', Fraction(2, 1), 'x')
    """
    if not isinstance(text, str):
        raise TypeError(f"the expression must be a str, got {type(text).__name__}")
    if not text.strip():
        raise ExpressionError("there is no expression: the text is empty", text, 0, 0)
    if len(text) > MOST_CHARACTERS:
        problem = f"the text has {len(text)} characters; at most {MOST_CHARACTERS} are read"
        raise ExpressionError(problem, text, MOST_CHARACTERS, MOST_CHARACTERS)
    return _Parser(text).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(_unexpected(text[position]), text, position, position + 1)
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(_Token(kind, match.group(), position, match.end()))
        position = match.end()
    return [*found, _Token("end", "", position, position)]


def _unexpected(character: str) -> str:
    shown = f"the character {character!r}"
    if not character.isascii():
        called = unicodedata.name(character, "without a name")
        shown += f" (U+{ord(character):04X}, {called})"
    hint = _HINTS.get(character, "only ASCII letters, digits and + - * / ^ ( ) , . are")
    return f"{shown} is not part of the grammar: {hint}"


class _Parser:
    """Recursive descent over the tokens; every rule that calls itself counts its depth."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.position = 0
        self.nodes = 0
        self.names: set[str] = set()

    @property
    def next(self) -> _Token:
        return self.tokens[self.position]

    def take(self) -> _Token:
        token = self.next
        self.position += 1
        return token

    def error(self, problem: str, token: _Token | Span) -> ExpressionError:
        return ExpressionError(problem, self.text, token.start, token.end)

    def count(self, token: _Token) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise self.error(f"the expression has more than {MOST_NODES} parts", token)

    def whole(self) -> Tree:
        tree = self.sum(0)
        if self.next.kind != "end":
            raise self.error(self.misplaced(), self.next)
        return tree

    def misplaced(self) -> str:
        token = self.next
        if token.kind in ("number", "name") or token.text == "(":
            return f"there is an operator missing before {token.text!r}: a product is written a*b"
        if token.text == ")":
            return "this bracket was never opened"
        return f"{token.text!r} is not expected here"

    def sum(self, depth: int) -> Tree:
        return self.chain(("+", "-"), self.product, depth)

    def product(self, depth: int) -> Tree:
        return self.chain(("*", "/"), self.unary, depth)

    def chain(self, signs: tuple[str, ...], operand: Callable[[int], Tree], depth: int) -> Tree:
        left = operand(depth)
        while self.next.text in signs:
            sign = self.take()
            self.count(sign)
            right = operand(depth)
            left = Operation(sign.text, left, right, Span(left.span.start, right.span.end))
        return left

    def unary(self, depth: int) -> Tree:
        if self.next.text not in ("+", "-"):
            return self.power(depth)
        sign = self.take()
        self.count(sign)
        operand = self.unary(self.deeper(depth, sign))
        span = Span(sign.start, operand.span.end)
        zero = Number(Fraction(0), Span(sign.start, sign.start))
        return operand if sign.text == "+" else Operation("-", zero, operand, span)

    def power(self, depth: int) -> Tree:
        base = self.atom(depth)
        if self.next.text not in ("**", "^"):
            return base
        sign = self.take()
        self.count(sign)
        exponent = self.unary(self.deeper(depth, sign))
        return Operation("^", base, exponent, Span(base.span.start, exponent.span.end))

    def deeper(self, depth: int, token: _Token) -> int:
        if depth >= DEEPEST:
            raise self.error(f"the expression is nested more than {DEEPEST} levels deep", token)
        return depth + 1

    def atom(self, depth: int) -> Tree:
        token = self.take()
        self.count(token)
        if token.kind == "number":
            return self.number(token)
        if token.kind == "name":
            return self.call(token, depth) if self.next.text == "(" else self.name(token)
        if token.text == "(":
            inside = self.sum(self.deeper(depth, token))
            return replace(inside, span=Span(token.start, self.close(token).end))
        if token.kind == "end":
            raise self.error("the expression ends where a number, a name or ( should come", token)
        raise self.error(f"a number, a name or ( should come before {token.text!r}", token)

    def close(self, opened: _Token) -> _Token:
        if self.next.text == ")":
            return self.take()
        if self.next.kind == "end":
            raise self.error("this bracket is never closed", opened)
        raise self.error(self.misplaced(), self.next)

    def number(self, token: _Token) -> Number:
        mantissa, _, scale = token.text.lower().partition("e")
        digits = mantissa.replace(".", "").lstrip("0")
        if len(digits) > _MOST_DIGITS or len(mantissa) > 2 * _MOST_DIGITS:
            problem = f"a number has at most {_MOST_DIGITS} digits here"
            raise self.error(problem, token)
        if len(scale) > 4 or abs(int(scale or "0")) > _LARGEST_SCALE:
            problem = f"a power of ten lies between 1e-{_LARGEST_SCALE} and 1e{_LARGEST_SCALE} here"
            raise self.error(problem, token)
        whole, _, decimals = mantissa.partition(".")
        value = Fraction(int((whole + decimals) or "0")) * Fraction(10) ** (
            int(scale or "0") - len(decimals)
        )
        return Number(value, Span(token.start, token.end))

    def name(self, token: _Token) -> Name:
        name = token.text
        if name in ARITIES or name in ALIASES:
            raise self.error(f"{name} is a function: it needs its argument in brackets", token)
        if name.lower() in _NOT_NUMBERS:
            raise self.error(f"{name} is not a real number", token)
        if len(name) > _LONGEST_NAME:
            problem = f"a name has at most {_LONGEST_NAME} characters"
            raise self.error(problem, token)
        if iskeyword(name) or issoftkeyword(name) or name in _RESERVED or "__" in name:
            problem = f"{name!r} cannot be a variable: the printed code could not use it"
            raise self.error(problem, token)
        self.names.add(name)
        if len(self.names - set(CONSTANTS)) > MOST_VARIABLES:
            raise self.error(f"there are more than {MOST_VARIABLES} variables", token)
        return Name(name, Span(token.start, token.end))

    def call(self, token: _Token, depth: int) -> Call:
        function = ALIASES.get(token.text, token.text)
        if function not in ARITIES:
            known = ", ".join(sorted(ARITIES))
            problem = f"{token.text!r} is not a function of the grammar, which knows {known}"
            raise self.error(problem, token)
        opened = self.take()
        inner = self.deeper(depth, token)
        arguments = [self.sum(inner)]
        while self.next.text == ",":
            self.take()
            arguments.append(self.sum(inner))
        closed = self.close(opened)
        least, most = ARITIES[function]
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            problem = f"{token.text} takes {wanted} arguments, got {len(arguments)}"
            raise self.error(problem, Span(token.start, closed.end))
        return Call(function, tuple(arguments), Span(token.start, closed.end))

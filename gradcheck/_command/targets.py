"""What a TARGET of the command line means: rows of a table, or a function and its derivatives.

``module`` names the rows of its ``CASES``, ``module:NAME`` a case, a table of cases or a function.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcheck._claim.blame import place_of

if TYPE_CHECKING:
    from types import ModuleType

    from gradcheck._case.case import Case, ClaimKind

CLAIM_SUFFIXES: dict[ClaimKind, str] = {k: f"_{k}" for k in ("grad", "jac", "vjp", "jvp")}


class CommandError(Exception):
    """A command that cannot be carried out; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One function of the command line, with the derivatives claimed for it.

    Parameters
    ----------
    target : str
        The target that named it.
    name : str
        The case's name, or the function's.
    f : callable
        The function.
    claims : tuple of (str, callable)
        Each claimed derivative with its kind.
    case : Case or None
        The row of the table, which knows how to draw arguments; None for a function of a module.
    """

    target: str
    name: str
    f: Callable[..., Any]
    claims: tuple[tuple[ClaimKind, Callable[..., Any]], ...]
    case: Case | None = None


def resolve(target: str) -> tuple[Subject, ...]:
    """Return what a target names, at least one subject.

    Raises
    ------
    CommandError
        If the module cannot be imported, or what is named does not exist or cannot be checked.
    """
    module_name, colon, attribute = target.partition(":")
    if not module_name or (colon and not attribute):
        raise CommandError(
            f"{target!r} is not a target: write module, module:CASES or module:function"
        )
    module = _import(module_name)
    if not colon:
        return _cases(target, _table(module))
    try:
        value = operator.attrgetter(attribute)(module)
    except AttributeError:
        return _case_named(target, module, attribute)
    if callable(value):
        return _function(target, module, attribute, value)
    return _cases(target, value)


def source_of(claim: Callable[..., Any]) -> tuple[str, int] | tuple[None, None]:
    """Return the file and line of a claimed derivative, if it is below the current directory."""
    function = inspect.unwrap(getattr(claim, "derivative", claim))
    code = getattr(function, "__code__", None)
    if code is None:
        return None, None
    path = Path(code.co_filename).absolute()
    if not path.is_relative_to(Path.cwd()) or not path.is_file():
        return None, None
    return path.relative_to(Path.cwd()).as_posix(), code.co_firstlineno


def _import(name: str) -> ModuleType:
    if name.endswith(".py") or "/" in name:
        dotted = name.removesuffix(".py").strip("./").replace("/", ".")
        raise CommandError(f"{name!r} names a file: give the module's dotted name, {dotted!r}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise CommandError(
                f"there is no module {error.name!r}; looked in the current directory "
                f"({Path.cwd()}) and among the installed packages"
            ) from error
        raise CommandError(f"importing {name!r} failed: {_blame(error)}") from error
    except (Exception, SystemExit) as error:
        raise CommandError(f"importing {name!r} failed: {_blame(error)}") from error


def _blame(error: BaseException) -> str:
    """Say what was raised and where, in a line."""
    return f"{type(error).__name__}: {error}{place_of(error)}"


def _table(module: ModuleType) -> Any:
    if hasattr(module, "CASES"):
        return module.CASES
    name = module.__name__
    pairs = [f"{name}:{f}" for f in sorted(vars(module)) if _siblings(module, f)]
    if pairs:
        raise CommandError(
            f"module {name!r} has no CASES; functions with a derivative: {', '.join(pairs)}"
        )
    raise CommandError(
        f"module {name!r} has no CASES and no function with a derivative called "
        "<function>_grad, _jac, _vjp or _jvp beside it"
    )


def _cases(target: str, value: Any) -> tuple[Subject, ...]:
    from gradcheck._case.case import Case  # here, because it imports NumPy

    cases = (value,) if isinstance(value, Case) else value
    if isinstance(cases, str) or not isinstance(cases, Iterable):
        raise CommandError(
            f"{target!r} is of type {type(value).__name__}: "
            "name a Case, a table of Cases or a function"
        )
    cases = tuple(cases)
    for case in cases:
        if not isinstance(case, Case):
            raise CommandError(
                f"{target!r} holds something else than a Case, of type {type(case).__name__}: {case!r:.60}"
            )
    if not cases:
        raise CommandError(f"{target!r} is empty: there is nothing to check")
    return tuple(Subject(target, case.name, case.f, case.claims, case) for case in cases)


def _case_named(target: str, module: ModuleType, name: str) -> tuple[Subject, ...]:
    cases = _cases(target, module.CASES) if hasattr(module, "CASES") else ()
    named = tuple(s for s in cases if s.name == name)
    if named:
        return named
    known = [*(s.name for s in cases), *vars(module)]
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise CommandError(f"module {module.__name__!r} has no {name!r}{hint}")


def _function(
    target: str, module: ModuleType, name: str, f: Callable[..., Any]
) -> tuple[Subject, ...]:
    table = _cases(target, module.CASES) if hasattr(module, "CASES") else ()
    rows = tuple(s for s in table if s.f is f or s.name == name)
    if rows:
        return rows
    claims = _siblings(module, name)
    if not claims:
        wanted = ", ".join(f"{name}{suffix}" for suffix in CLAIM_SUFFIXES.values())
        raise CommandError(
            f"nothing claims the derivative of {target!r}: none of {wanted} is in the module, "
            "and no row of its CASES has this function or name"
        )
    return (Subject(target, name, f, claims),)


def _siblings(module: ModuleType, name: str) -> tuple[tuple[ClaimKind, Callable[..., Any]], ...]:
    found = ((kind, _found(module, name + suffix)) for kind, suffix in CLAIM_SUFFIXES.items())
    return tuple((kind, claim) for kind, claim in found if callable(claim))


def _found(module: ModuleType, name: str) -> Any:
    """Return what a name such as ``f`` or ``Class.f`` means in a module; None if it has none."""
    try:
        return operator.attrgetter(name)(module)
    except AttributeError:
        return None

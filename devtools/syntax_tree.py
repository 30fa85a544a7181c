"""The syntax tree of Python source, for what reads code: tests and the documentation's tools."""

from __future__ import annotations

import ast
import gc


def syntax_tree(source: str) -> ast.Module:
    """Parse source while nothing is collected.

    Up to Python 3.11.7 one counter for the whole process watches the depth of a tree that is being made
    (https://github.com/python/cpython/issues/106905). Making one allocates enough to start the garbage collector; where
    that ends an object whose finalizer formats a traceback, or lets another thread format one, a second tree is made
    meanwhile (tracebacks mark columns by one), and ``ast.parse`` raises ``SystemError``.

    :param source: of a module.
    :raises SyntaxError: it is no Python.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if collecting:
            gc.enable()

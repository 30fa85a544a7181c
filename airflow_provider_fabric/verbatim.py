"""Operator arguments that Airflow's templating must not touch, or must render to text and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_fabric.arguments import TEMPLATE, as_text, is_reference
from airflow_provider_fabric.compat import ResolveMixin, render_text


class Verbatim(ResolveMixin, Mapping[str, Any]):
    """A mapping whose texts are never rendered, whatever braces they hold; outputs of tasks in it are resolved.

    Airflow asks it for a plain mapping where it would otherwise render a template.

    :param value: the mapping, nested to any depth.
    """

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._value = value

    def __getitem__(self, key: str) -> Any:
        return self._value[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        """Return its keys: contents may be long, and secret."""
        return f"<{', '.join(map(str, self._value))}>"

    def __str__(self) -> str:
        """Return what Airflow's UI shows before the task runs."""
        try:
            return json.dumps(dict(self._value), default=_shown, ensure_ascii=False)
        except (TypeError, ValueError):  # keys that JSON has not; what is wrong is said when the task runs
            return repr(self)

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        """Yield the tasks whose output it holds: they run first."""
        yield from _references(self._value)

    def resolve(self, context: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        """Return it as a plain mapping, with the outputs of tasks in their places."""
        resolved = _resolved(self._value, context)
        return dict(resolved)


class VerbatimPath(ResolveMixin):
    """A path given as an object, which is no template.

    :param path: the path.
    """

    def __init__(self, path: os.PathLike[str]) -> None:
        self._path = os.fspath(path)

    def __fspath__(self) -> str:
        return self._path

    def __str__(self) -> str:
        return self._path

    __repr__ = __str__

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        """Return nothing: a path names no task."""
        return ()

    def resolve(self, context: Mapping[str, Any], **_: Any) -> VerbatimPath:
        """Return it as it is."""
        return self


def protect(definition: Any) -> Any:
    """Return a definition in which Airflow renders no contents: only a path given as text is a template."""
    if isinstance(definition, Mapping):
        return Verbatim(definition)
    return VerbatimPath(definition) if isinstance(definition, os.PathLike) else definition


def definition_argument(value: Any) -> Any:
    """Return a rendered definition, of which native rendering may have made a number.

    :raises FabricInputError: a template made text of a mapping.
    """
    if isinstance(value, int):
        return as_text(value, "definition")
    if isinstance(value, str) and value.lstrip().startswith("{"):
        from airflow_provider_fabric.exceptions import FabricInputError  # not while a DAG is parsed

        raise FabricInputError(
            "definition is a mapping written as text, which a template made of it. Give the mapping itself, or the "
            "task's output (task.output); its contents are never rendered."
        )
    return value


def rendered_texts(given: Any, rendered: Any, context: Mapping[str, Any]) -> Any:
    """Return a mapping's templates rendered to text, also where the DAG renders them to Python values.

    Native rendering makes ``1.5`` of ``1.50``, and a list of ``[1]``.

    :param given: the argument before Airflow rendered it.
    :param rendered: the argument now. It is returned as it is where Airflow rendered nothing: no mapping was given, or
        the mapping is a value of a mapped argument.
    :param context: the task's context.
    :raises FabricInputError: a template gives ``None``, which nobody wants to be written as text.
    """
    if not isinstance(given, dict) or not isinstance(rendered, dict) or rendered is given:
        return rendered
    return {
        key: _as_text(given[key], context) if isinstance(given.get(key), str) and TEMPLATE.search(given[key]) else value
        for key, value in rendered.items()
    }


def _as_text(template: str, context: Mapping[str, Any]) -> str:
    text = render_text(template, context)
    if text == "None" and "None" not in template:
        from airflow_provider_fabric.exceptions import FabricInputError  # not while a DAG is parsed

        raise FabricInputError(f"The template {template!r} gives None where text is needed.")
    return text


def _shown(value: Any) -> str:
    """Return a value as text that is the same at every parsing of the DAG: without an address in memory."""
    kind = type(value)
    named = any("__str__" in vars(base) or "__repr__" in vars(base) for base in kind.__mro__[:-1])
    return str(value) if named else f"<{kind.__qualname__}>"


def _references(value: Any) -> Iterator[tuple[Any, str]]:
    if is_reference(value):
        yield from value.iter_references()
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _references(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _references(entry)


def _resolved(value: Any, context: Mapping[str, Any]) -> Any:
    if is_reference(value):
        return value.resolve(context)
    if isinstance(value, Mapping):
        return {key: _resolved(entry, context) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(entry, context) for entry in value]
    return value

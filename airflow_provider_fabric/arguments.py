"""What an author may give an operator or a sensor, and what a task makes of it: one rule for all of them.

When an operator is made, mappings of any class become dicts and sequences lists, because Airflow renders templates in
nothing else; the output of a task is refused where only the DAG file itself can say the value.

When a task runs, after Airflow has rendered the templates, text that holds no template is again as it was written
(``render_template_as_native_obj=True`` makes a number of ``"2024"``, and every rendering takes the last line end), the
output of mapped tasks is a list, and an argument that is text by nature is text.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from inspect import isfunction, signature
from typing import Any

TEMPLATE = re.compile(r"{{|{%|{#")
"""What makes text a template."""

LAZY_SEQUENCE_NAME = re.compile(r"Lazy\w*Sequence\(")
LINE_END = re.compile(r"\r\n|\r|\n")


class TaskArguments:
    """Mixed into operators and sensors: which of their arguments are what, and the two steps that make them so."""

    template_fields: Sequence[str]

    text_arguments: Sequence[str] = ()
    """Arguments that are text by nature: a whole number becomes text, anything else is refused."""

    optional_text_arguments: Sequence[str] = ()
    """The same, or ``None``."""

    text_list_arguments: Sequence[str] = ()
    """Lists of such text, or ``None``."""

    flag_arguments: Sequence[str] = ()
    """Arguments that are ``True`` or ``False`` (or ``None``, where that is the default), and no template."""

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Do what Airflow's ``partial()`` does, and refuse what no mapped task could use: Airflow itself does not look.

        :raises FabricInputError: an argument is the output of a task, or a template, where neither is possible.
        """
        cls._check_fixed(kwargs)
        made = super().partial(**kwargs)  # type: ignore[misc]
        try:
            cls._check_fixed(cls._defaults_of(made.kwargs, kwargs))
        except Exception:
            made._expand_called = True  # else Airflow warns of a partial that nobody mapped
            raise
        return made

    @classmethod
    def _defaults_of(cls, made: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments that a mapped task takes from ``default_args``: Airflow fills them in when it runs.

        :param made: what Airflow has made of them, with the DAG and the task group.
        :param given: arguments of ``partial()``.
        """
        owners = (made.get("dag"), made.get("task_group"))
        defaults = [getattr(owner, "default_args", None) or {} for owner in owners]
        constructors = filter(isfunction, (vars(kind).get("__init__") for kind in cls.__mro__))
        accepted = {name for constructor in constructors for name in signature(constructor).parameters}
        merged = ChainMap(given.get("default_args") or {}, *reversed(defaults))
        return {name: merged[name] for name in merged if name in accepted and name not in given}

    @classmethod
    def _check_fixed(cls, given: Mapping[str, Any]) -> None:
        """Check the arguments that must be known when the DAG is parsed.

        :raises FabricInputError: one is not.
        """
        for name, value in given.items():
            if not name.startswith("_") and name not in cls.template_fields and is_reference(value):
                raise _input_error(
                    f"{name} takes no output of a task and no DAG parameter: it must be known when the DAG is parsed. "
                    f"Those may be given to {', '.join(cls.template_fields)}. To vary {name} over mapped tasks, give "
                    "it to expand()."
                )
        for name in cls.flag_arguments:
            shown = name.removesuffix("_only")  # ``dry_run`` itself is a method of Airflow's
            flag = given.get(name, given.get(shown))
            if flag not in (True, False, None):
                raise _input_error(f"{shown} must be True or False, got {flag!r}; it is not templated.")

    def prepare_arguments(self) -> None:
        """Make the arguments ready for Airflow's rendering. The last line of every constructor.

        :raises FabricInputError: an argument is the output of a task, or a template, where neither is possible.
        """
        self._check_fixed(vars(self))
        given: dict[str, Any] = vars(self).setdefault("_given_arguments", {})
        for name in self.template_fields:
            if name in vars(self):
                given[name] = plain_value(getattr(self, name))
                setattr(self, name, given[name])

    def resolve_arguments(self) -> None:
        """Make the rendered arguments what their author means. The first step of every task.

        :raises FabricInputError: an argument is not what it must be; the message names it.
        """
        given = vars(self).get("_given_arguments", {})
        for name in self.template_fields:
            value = plain_value(restore_literals(given.get(name), getattr(self, name)))
            _refuse_lazy_names(value, name)
            if name in self.text_arguments or (name in self.optional_text_arguments and value is not None):
                value = as_text(value, name)
            if name in self.text_list_arguments:
                value = _text_list(value, name)
            setattr(self, name, value)


def as_text(value: Any, name: str) -> str:
    """Return the value of an argument that is text by nature.

    :param value: text, a member of an ``Enum`` of text, or a whole number, which native rendering makes of digits.
    :param name: the argument's name, for the error.
    :raises FabricInputError: it is anything else. Of a float or a bool nobody knows how it was written.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    shown = f": {value!r}" if value is None or isinstance(value, bool | float) else ""
    hint = " If a template gave it, add the filter `| string`." if isinstance(value, bool | float) else ""
    raise _input_error(f"{name} must be text, got {type(value).__name__}{shown}.{hint}")


def _text_list(value: Any, name: str) -> Any:
    """Return a list of text, or text by itself; whatever is neither is for the operator to refuse."""
    if isinstance(value, list | tuple):
        return [as_text(entry, f"{name}[{index}]") for index, entry in enumerate(value)]
    return as_text(value, name) if isinstance(value, int) else value


def is_reference(value: Any) -> bool:
    """Whether a value is known only when a task runs: the output of a task, or a DAG's parameter."""
    return hasattr(type(value), "resolve") and hasattr(type(value), "iter_references")


def plain_value(value: Any) -> Any:
    """Return a value with dicts for mappings of any class, and lists for sequences other than tuples and text.

    What is plain already stays the same object: by that, Airflow knows the values that it must not render, those of
    mapped arguments.
    """
    if isinstance(value, Mapping):
        entries = {key: plain_value(entry) for key, entry in value.items()}
        same = type(value) is dict and all(entries[key] is value[key] for key in value)
        return value if same else entries
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
        items = [plain_value(entry) for entry in value]
        if isinstance(value, list | tuple) and all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return tuple(items) if isinstance(value, tuple) else items
    return value


def restore_literals(given: Any, rendered: Any) -> Any:
    """Return a rendered value in which text that holds no template is as it was written.

    :param given: the argument before it was rendered.
    :param rendered: the argument now. Whatever is no rendering of what was given stays as it is.
    """
    if isinstance(given, str):
        return given if not TEMPLATE.search(given) and _is_rendering(given, rendered) else rendered
    if isinstance(given, dict) and isinstance(rendered, dict):
        return {key: restore_literals(given.get(key), value) for key, value in rendered.items()}
    if isinstance(given, list | tuple) and type(given) is type(rendered) and len(given) == len(rendered):
        values = [restore_literals(*pair) for pair in zip(given, rendered, strict=True)]
        return values if isinstance(given, list) else tuple(values)
    return rendered


def _is_rendering(literal: str, rendered: Any) -> bool:
    """Whether a value is what Jinja makes of text without a template."""
    text = LINE_END.sub("\n", literal)
    text = text.removesuffix("\n")
    if isinstance(rendered, str) and rendered in (literal, text):
        return True
    try:
        value = literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return type(value) is type(rendered) and bool(value == rendered or repr(value) == repr(rendered))


def unrendered(operator: Any, *names: str) -> Iterator[str]:
    """Yield where arguments still hold ``{{``, which Airflow leaves in the values of mapped arguments.

    :param names: arguments; those that the operator does not have are passed over.
    """
    for name in names:
        for path, text in _texts(getattr(operator, name, None), name):
            if "{{" in text:
                yield path


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the texts in a value, each with where it is."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _texts(entry, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from _texts(entry, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value


def _refuse_lazy_names(value: Any, name: str) -> None:
    """Refuse the name of a lazy sequence, which a template makes of a mapped task's output."""
    for path, text in _texts(value, name):
        if LAZY_SEQUENCE_NAME.match(text):
            raise _input_error(
                f"{path} is {text!r}: a template made text of a mapped task's output without reading it. "
                "Give the task's output itself (task.output), or add the filter `| list`."
            )


def _input_error(message: str) -> Exception:
    from airflow_provider_fabric.exceptions import FabricInputError  # not while a DAG is parsed

    return FabricInputError(message)

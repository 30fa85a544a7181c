"""A ``parameter.yml`` as ``fabric-cicd`` reads it: values that differ from stage to stage.

https://microsoft.github.io/fabric-cicd/latest/how_to/parameterization/. Understood are ``find_replace`` and
``key_value_replace``. A ``spark_pool`` rule that fits an environment of the folder, and ``extend``, are refused:
leaving them out would deploy another stage's values. ``semantic_model_binding`` is about connections, not definitions:
it is left to the author, as the log says.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from airflow_provider_fabric.api.deploy.json_path import read_path
from airflow_provider_fabric.api.deploy.rules import ATTRIBUTES, FILTERS, OF_ITEM, WORKSPACE_ID, ParameterFile, Rule
from airflow_provider_fabric.exceptions import FabricInputError

log = logging.getLogger(__name__)

SECTIONS = ("find_replace", "key_value_replace", "spark_pool", "semantic_model_binding", "extend")
ALL = "_all_"
"""The environment that stands for every one; any case."""


def read_parameter_file(file: str | os.PathLike[str], environment: str | None) -> ParameterFile:
    """Read a parameter file.

    :param file: its path.
    :param environment: stage whose values are used; ``None`` if the file only has values for all (``_ALL_``).
    :raises FabricInputError: it cannot be read, is no YAML, holds what is not understood, or not that environment.
    """
    import yaml

    if not isinstance(file, str | os.PathLike):
        raise FabricInputError(f"parameter_file must be the path of a file, got {type(file).__name__}.")
    shown = os.fspath(file)

    def wrong(text: str) -> FabricInputError:
        return FabricInputError(f"parameter_file: {shown!r} {text}")

    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise wrong(f"cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise wrong(f"is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict) or not content:
        raise wrong("must hold at least one section, such as find_replace.")
    for name in content:
        if name not in SECTIONS:
            near = get_close_matches(str(name), SECTIONS, n=1)
            raise wrong(
                f"has a section {name!r}." + (f" Did you mean {near[0]!r}?" if near else f" Known: {SECTIONS}.")
            )
    if "extend" in content:
        raise wrong("has a section 'extend', which is not understood here. Put its templates into the file.")
    if "semantic_model_binding" in content:
        log.warning("%s: semantic_model_binding is not applied; bind the models' connections yourself.", shown)
    reader = _Reader(shown, environment)
    rules = [rule for name in SECTIONS[:2] for rule in reader.rules(name, content.get(name))]
    pools = list(reader.pools(content.get("spark_pool")))
    reader.check_environment()
    return ParameterFile(tuple(rules), tuple(pools), shown)


class _Reader:
    """Reads sections, and remembers which environments they name."""

    def __init__(self, shown: str, environment: str | None) -> None:
        self._shown = shown
        self._environment = environment
        self._environments: set[str] = set()
        self._used = 0
        self._entries = 0

    def _wrong(self, where: str, text: str) -> FabricInputError:
        return FabricInputError(f"parameter_file: {self._shown!r}, {where}: {text}")

    def _section(self, name: str, section: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        if not isinstance(section, list | None):
            raise self._wrong(name, "must be a list.")
        for number, entry in enumerate(section or (), 1):
            where = f"{name} entry {number}"
            if not isinstance(entry, dict):
                raise self._wrong(where, "must be a mapping.")
            yield where, entry

    def rules(self, name: str, section: Any) -> Iterator[Rule]:
        """Yield the rules of ``find_replace`` or ``key_value_replace`` that the environment has a value for."""
        key = "find_value" if name == "find_replace" else "find_key"
        known = {key, "replace_value", *FILTERS} | ({"is_regex", "ignore_case"} if key == "find_value" else set())
        for where, entry in self._section(name, section):
            unknown = sorted(map(str, set(entry) - known))
            if unknown:
                near = get_close_matches(unknown[0], sorted(known), n=1)
                raise self._wrong(
                    where, f"has the key {unknown[0]!r}." + (f" Did you mean {near[0]!r}?" if near else "")
                )
            find = entry.get(key)
            if not isinstance(find, str) or not find:
                raise self._wrong(where, f"needs a text in {key}.")
            values = self._values(where, entry.get("replace_value"))
            rule = Rule(
                find,
                None,
                where,
                self._pattern(where, entry, find),
                key == "find_key",
                {name: self._texts(where, name, entry.get(name)) for name in FILTERS},
            )
            self._check_find(where, rule)
            if values:
                yield self._with_value(rule, values[0])

    def _check_find(self, where: str, rule: Rule) -> None:
        if rule.is_key:
            try:
                read_path(rule.find)
            except FabricInputError as error:
                raise self._wrong(where, str(error)) from error

    def _with_value(self, rule: Rule, value: Any) -> Rule:
        if not rule.is_key and not isinstance(value, str):
            raise self._wrong(rule.where, f"replace_value must be text, got {value!r}. Put it in quotes.")
        if isinstance(value, str) and value in WORKSPACE_ID:
            value = "$workspace.id"
        elif isinstance(value, str) and value.startswith(("$workspace", "$items", "$ENV:")):
            found = OF_ITEM.fullmatch(value)
            if found is None or found["attribute"].lower() not in ATTRIBUTES:
                raise self._wrong(
                    rule.where,
                    f"{value!r} is not understood: use $workspace.id or $items.Type.Name.attribute with one of "
                    f"{', '.join(sorted(ATTRIBUTES))}.",
                )
        return Rule(rule.find, value, rule.where, rule.pattern, rule.is_key, rule.filters)

    def _values(self, where: str, value: Any) -> list[Any]:
        """Return the environment's value in a list, an empty one if there is none."""
        if not isinstance(value, dict) or not value:
            raise self._wrong(where, "needs a mapping of environments to values in replace_value.")
        self._entries += 1
        names = {str(name): name for name in value}
        every = next((name for name in names if name.lower() == ALL), None)
        self._environments.update(name for name in names if name != every)
        chosen = self._environment if self._environment in names else every
        if chosen is None:
            return []
        self._used += 1
        return [value[names[chosen]]]

    def _pattern(self, where: str, entry: Mapping[str, Any], find: str) -> re.Pattern[str] | None:
        is_regex, ignore_case = (self._flag(where, entry, name) for name in ("is_regex", "ignore_case"))
        if not is_regex and not ignore_case:
            return None
        try:
            pattern = re.compile(find if is_regex else re.escape(find), re.IGNORECASE if ignore_case else 0)
        except re.error as error:
            raise self._wrong(where, f"find_value is no regular expression: {error}.") from error
        if is_regex and pattern.groups < 1:
            raise self._wrong(where, "find_value needs a group (…) around what is replaced, because is_regex is true.")
        return pattern

    def _flag(self, where: str, entry: Mapping[str, Any], name: str) -> bool:
        value = entry.get(name, False)
        if str(value).lower() not in ("true", "false"):
            raise self._wrong(where, f"{name} must be true or false, got {value!r}.")
        return str(value).lower() == "true"

    def _texts(self, where: str, name: str, value: Any) -> tuple[str, ...]:
        texts: Sequence[Any] = [value] if isinstance(value, str) else value or ()
        if not isinstance(texts, Sequence) or not all(isinstance(text, str) and text for text in texts):
            raise self._wrong(where, f"{name} must be text, or a list of texts.")
        return tuple(texts)

    def pools(self, section: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield what ``spark_pool`` rules are about."""
        for where, entry in self._section("spark_pool", section):
            pool = entry.get("instance_pool_id")
            if not isinstance(pool, str) or not pool:
                raise self._wrong(where, "needs a text in instance_pool_id.")
            yield pool, self._texts(where, "item_name", entry.get("item_name"))

    def check_environment(self) -> None:
        """Refuse an environment that no rule names; it may be misspelt."""
        if self._entries and not self._used:
            named = ", ".join(map(repr, sorted(self._environments)))
            raise FabricInputError(
                f"environment: {self._environment!r} has no value in {self._shown!r}, which names {named}."
                if self._environment
                else f"environment is needed: {self._shown!r} has values for {named}."
            )

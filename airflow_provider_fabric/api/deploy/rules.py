"""One rule of a parameter file: what is replaced by what, and in which parts of which items."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from airflow_provider_fabric.api.deploy.json_path import replace_at
from airflow_provider_fabric.api.deploy.references import is_text
from airflow_provider_fabric.api.deploy.source import SourceItem
from airflow_provider_fabric.api.items.formats import PLATFORM, is_json_part
from airflow_provider_fabric.exceptions import FabricInputError

FILTERS = ("item_type", "item_name", "file_path")
WORKSPACE_ID = frozenset({"$workspace.id", "$workspace.$id"})
OF_ITEM = re.compile(r"\$items\.(?P<type>[A-Za-z]+)\.(?P<name>.+)\.\$?(?P<attribute>[A-Za-z]+)")
ATTRIBUTES = frozenset({"id", "sqlendpoint", "sqlendpointid", "queryserviceuri"})


@dataclass(frozen=True)
class ItemValue:
    """A value that is known when an item is deployed: ``$items.Lakehouse.Sales.id``."""

    item_type: str
    display_name: str
    attribute: str


@dataclass(frozen=True)
class Rule:
    """One entry of ``find_replace`` or ``key_value_replace``.

    :param find: text, pattern or JSONPath.
    :param value: what is put in.
    :param where: how the entry is named in errors.
    :param pattern: for ``is_regex`` and ``ignore_case``: its first group, or all of it, is replaced.
    :param is_key: ``find`` is a JSONPath.
    :param filters: allowed values of ``item_type``, ``item_name`` and ``file_path``.
    """

    find: str
    value: Any
    where: str
    pattern: re.Pattern[str] | None = None
    is_key: bool = False
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def item_value(self) -> ItemValue | None:
        """The item whose id or address is the value; ``None`` if it is written out."""
        found = OF_ITEM.fullmatch(self.value) if isinstance(self.value, str) else None
        return ItemValue(found["type"], found["name"], found["attribute"].lower()) if found else None

    @property
    def is_dynamic(self) -> bool:
        """Whether the value is known only in the workspace."""
        return self.value == "$workspace.id" or self.item_value is not None

    def fits(self, item: SourceItem, part: str) -> bool:
        """Whether the rule is for a part of an item."""
        types, names, paths = (self.filters.get(name) for name in FILTERS)
        if (types and item.item_type not in types) or (names and item.display_name not in names):
            return False
        return not paths or any(_path_fits(f"{item.path}/{part}", pattern) for pattern in paths)

    def is_in(self, item: SourceItem, part: str, content: bytes) -> bool:
        """Whether the rule changes a part."""
        return self.apply(item, part, content, "\x00") != content

    def apply(self, item: SourceItem, part: str, content: bytes, value: Any) -> bytes:
        """Return a part's content with the value put in wherever the rule fits."""
        if not self.fits(item, part) or part == PLATFORM or not is_text(content):
            return content
        if self.is_key:
            return self._at_key(item, part, content, value)
        text = content.decode()
        if self.pattern is None:
            return text.replace(self.find, str(value)).encode()
        group = 1 if self.pattern.groups else 0

        def put_in(found: re.Match[str]) -> str:
            start, end = (at - found.start() for at in found.span(group))
            return found.group()[:start] + str(value) + found.group()[end:] if start >= 0 else found.group()

        return self.pattern.sub(put_in, text).encode()

    def _at_key(self, item: SourceItem, part: str, content: bytes, value: Any) -> bytes:
        if not is_json_part(item.item_type, part):
            return content
        try:
            body = json.loads(content)
        except ValueError:
            return content
        if not replace_at(body, self.find, value):
            return content
        return json.dumps(body, indent=2, ensure_ascii=False).encode()


@dataclass(frozen=True)
class ParameterFile:
    """The rules of a parameter file for one environment.

    :param rules: in the order of the file.
    :param pools: ``instance_pool_id`` → names of environments that a ``spark_pool`` rule is for; none means any.
    :param shown: the file's path, for errors.
    """

    rules: tuple[Rule, ...] = ()
    pools: tuple[tuple[str, tuple[str, ...]], ...] = ()
    shown: str = ""

    def check(self, items: Iterable[tuple[SourceItem, Mapping[str, bytes]]]) -> None:
        """Refuse what would be left out in silence.

        :raises FabricInputError: a ``spark_pool`` rule fits an environment.
        """
        for item, parts in items:
            settings = parts.get("Setting/Sparkcompute.yml", b"")
            for pool, names in self.pools:
                if (
                    item.item_type == "Environment"
                    and pool.encode() in settings
                    and (not names or item.display_name in names)
                ):
                    raise FabricInputError(
                        f"parameter_file: {self.shown!r} has a spark_pool rule for {item.path!r}, which is not "
                        f"understood here. Write the pool's id of each stage as a find_replace rule for {pool!r}."
                    )


def _path_fits(path: str, pattern: str) -> bool:
    wanted = pattern.replace("\\", "/").removeprefix("./").lstrip("/")
    return fnmatchcase(path, wanted) or (wanted.startswith("**/") and fnmatchcase(path, wanted[3:]))

"""``fabric-events``: set up the eventstream that brings job events to triggerers, or take it away again. Experimental.

::

    fabric-events create --workspace Sales "Daily load" "Hourly load"

names the cost first and asks; then it makes the eventstream, or adds the items to it, waits until it runs, and prints
the fields to put into the connection's ``extra``. Nothing is stored, and no key is read.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing

from airflow_provider_fabric.api.eventstreams import (
    CU_PER_ITEM,
    CU_PER_STREAM,
    ItemKey,
    Topology,
    build_definition,
    carried_by,
    get_endpoint,
    get_topology,
)
from airflow_provider_fabric.api.models import Item
from airflow_provider_fabric.exceptions import FabricError, FabricInputError, FabricNameError
from airflow_provider_fabric.hooks.fabric import FabricHook

NAME = "airflow-job-events"
KIND = "Eventstream"

PATIENCE = 600.0
"""Seconds that an eventstream may take until it runs."""

POLL = 5.0


class Stopped(Exception):
    """The person at the keyboard does not want it."""


class Events:
    """Sets eventstreams up.

    :param hook: the connection.
    :param workspace: GUID or display name of the eventstream's workspace.
    :param name: display name of the eventstream.
    :param say: prints a line.
    :param sleep: waits.
    """

    def __init__(
        self,
        hook: FabricHook,
        workspace: str,
        name: str = NAME,
        say: Callable[[str], object] = print,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._hook = hook
        self._workspace_id = hook.resolve_workspace(workspace)
        self._name = name
        self._say = say
        self._sleep = sleep

    def keys(self, items: Iterable[str], workspace: str | None = None) -> dict[ItemKey, str]:
        """Return workspace and item of each name, and the name.

        :param items: GUIDs or display names.
        :param workspace: where they are, if not where the eventstream is.
        """
        where = self._workspace_id if workspace is None else self._hook.resolve_workspace(workspace)
        return {(where.lower(), self._hook.resolve_item(where, item).lower()): item for item in items}

    def create(self, items: dict[ItemKey, str], agree: Callable[[], bool]) -> dict[str, str]:
        """Make the eventstream, or add items to it; return the connection's extras.

        :param items: see :meth:`keys`.
        :param agree: asked once the cost has been said.
        :raises Stopped: it was not agreed to; nothing was changed.
        :raises FabricError: it cannot be made, or does not run in time.
        """
        if not items:
            raise FabricInputError("Name at least one item whose job events are to be carried.")
        found = self._find()
        held = None if found is None else self._hook.get_item_definition(self._workspace_id, found.id)
        before = set() if held is None else carried_by(held)
        self._say_cost(items, before)
        if not agree():
            raise Stopped
        definition = build_definition(before | set(items), held)
        if found is None:
            made = self._hook.upsert_item_definition(self._workspace_id, KIND, self._name, definition)
            stream_id = made["item_id"]
        else:
            stream_id = found.id
            self._hook.update_item_definition(self._workspace_id, stream_id, KIND, definition)
        return self._extras(stream_id, self._wait_until_it_runs(stream_id, before | set(items)))

    def show(self) -> dict[str, str]:
        """Say which items are carried, and return the connection's extras."""
        found = self._required()
        topology = self._hook.run(get_topology(self._workspace_id, found.id))
        for name, status in sorted(topology.status.items()):
            self._say(f"{status:10}{name}")
        return self._extras(found.id, topology)

    def remove(self, items: dict[ItemKey, str]) -> None:
        """Take items out of the eventstream; or delete it, if none is named or none is left.

        :raises FabricInputError: it holds what this command did not make, and would be deleted.
        """
        found = self._required()
        held = self._hook.get_item_definition(self._workspace_id, found.id)
        left = carried_by(held) - set(items) if items else set()
        if left:
            definition = build_definition(left, held)
            self._hook.update_item_definition(self._workspace_id, found.id, KIND, definition)
            self._say(f"{self._name!r} carries {len(left)} items now.")
            return
        _refuse_others(held, self._name)
        self._hook.delete_item(self._workspace_id, found.id)
        self._say(f"Deleted eventstream {self._name!r}. Take its fields out of the connection's extra.")

    def _find(self) -> Item | None:
        found = [item for item in self._hook.list_items(self._workspace_id, KIND) if item.display_name == self._name]
        return found[0] if found else None

    def _required(self) -> Item:
        found = self._find()
        if found is None:
            raise FabricNameError(f"There is no eventstream {self._name!r} in workspace {self._workspace_id}.")
        return found

    def _say_cost(self, items: dict[ItemKey, str], before: set[ItemKey]) -> None:
        for key, name in items.items():
            known = key in before
            self._say(f"{'carried already' if known else f'{CU_PER_ITEM:.3f} CU':17}{name}  ({key[1]})")
        new, all_ = len(set(items) - before), len(before | set(items))
        stream = CU_PER_STREAM if not before else 0.0
        self._say(
            f"{new} new items cost {new * CU_PER_ITEM + stream:.2f} capacity units all the time"
            f"{' (the eventstream among them)' if stream else ''}; {all_} items in all cost "
            f"{all_ * CU_PER_ITEM + CU_PER_STREAM:.2f}."
        )

    def _wait_until_it_runs(self, stream_id: str, items: set[ItemKey]) -> Topology:
        waited = 0.0
        while True:
            topology = self._hook.run(get_topology(self._workspace_id, stream_id))
            if topology.is_running and items <= topology.carried:
                return topology
            if waited >= PATIENCE:
                states = ", ".join(f"{name}: {status}" for name, status in sorted(topology.status.items()))
                raise FabricError(f"The eventstream does not run after {waited:.0f} s: {states}. Look at it in Fabric.")
            self._sleep(POLL)
            waited += POLL

    def _extras(self, stream_id: str, topology: Topology) -> dict[str, str]:
        if topology.endpoint is None:
            raise FabricError(f"The eventstream {self._name!r} has no custom endpoint.")
        host, hub, group = self._hook.run(get_endpoint(self._workspace_id, stream_id, topology.endpoint))
        return {
            "events_hub": f"{host}/{hub}",
            "events_consumer_group": group,
            "events_stream": f"{self._workspace_id}/{stream_id}",
        }


def _refuse_others(held: dict[str, bytes], name: str) -> None:
    content = json.loads(held["eventstream.json"])
    others = [node.get("name") for node in content.get("sources", []) if node.get("type") != "FabricJobEvents"]
    others += [node.get("name") for node in content.get("destinations", []) if node.get("type") != "CustomEndpoint"]
    others += [node.get("name") for node in content.get("operators", [])]
    if others:
        raise FabricInputError(
            f"Eventstream {name!r} also holds {', '.join(map(str, others))}: delete it in Fabric, if it is to go."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: command-line arguments; those of the process by default.
    :returns: exit status.
    """
    options = _parser().parse_intermixed_args(arguments)
    try:
        with closing(FabricHook(options.conn_id)) as hook:
            _run(options, Events(hook, options.workspace, options.name))
    except Stopped:
        print("Nothing was changed.", file=sys.stderr)
        return 1
    except FabricError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace, events: Events) -> None:
    keys = events.keys(options.items, options.item_workspace)
    if options.action == "remove":
        events.remove(keys)
        return
    extras = events.create(keys, lambda: options.yes or _asked()) if options.action == "create" else events.show()
    print("Put these into the extra of the connection:")
    print(json.dumps(extras, indent=2))


def _asked() -> bool:
    return input("Go on? [y/N] ").strip().lower() in {"y", "yes"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fabric-events",
        description="Set up the eventstream that brings job events to triggerers (experimental).",
    )
    parser.add_argument("action", choices=("create", "show", "remove"), help="make or extend, look at, take away")
    parser.add_argument("items", nargs="*", help="GUIDs or display names of the items whose jobs are waited for")
    parser.add_argument("--workspace", required=True, help="workspace of the eventstream")
    parser.add_argument("--item-workspace", help="workspace of the items, if it is another one")
    parser.add_argument("--name", default=NAME, help="display name of the eventstream (default: %(default)s)")
    parser.add_argument("--conn-id", default="fabric_default", help="id of the connection (default: %(default)s)")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


if __name__ == "__main__":
    sys.exit(main())

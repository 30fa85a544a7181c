"""The public API, as text: what users may rely on, name by name and parameter by parameter.

::

    python -m devtools.docs.public_api            print it
    python -m devtools.docs.public_api --write    write tests/unit/public_api.txt, which a test compares with the code
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import airflow_provider_fabric

SNAPSHOT = Path(__file__).resolve().parents[2] / "tests" / "unit" / "public_api.txt"
PACKAGE = "airflow_provider_fabric"
MODULES = (
    "hooks",
    "operators",
    "sensors",
    "triggers",
    "links",
    "alerts",
    "assets",
    "retry_policies",
    "exceptions",
    "emulator",
)
"""Where public names live; a name is public there if it begins with ``Fabric`` or ``fabric_``, or is in ``__all__``."""

NOT_PROMISED = ("self", "cls", "clock", "steady", "sleep", "budget", "get")
"""Parameters that are seams for tests and for the package itself."""

NEWER_AIRFLOWS_CALL = (
    "deserialize",
    "evaluate",
    "filter_shared_stream",
    "on_kill",
    "open_shared_stream",
    "serialize",
    "shared_stream_key",
    "xcom_key",
)
"""Methods that not every Airflow declares."""


def public_modules() -> list[str]:
    """Return the dotted names of the modules that hold public names."""
    found = []
    for unit in MODULES:
        name = f"{PACKAGE}.{unit}"
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        if unit != "emulator" and hasattr(module, "__path__"):
            found += [f"{name}.{inner.name}" for inner in pkgutil.iter_modules(module.__path__)]
        else:
            found.append(name)
    return [name for name in found if not name.rpartition(".")[2].startswith("_")]


def public_names() -> Iterator[tuple[str, Any]]:
    """Yield (full name, class or function), in order."""
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in sorted(getattr(module, "__all__", None) or vars(module)):
            thing = getattr(module, name)
            ours = name in getattr(module, "__all__", ()) or (
                name.lower().startswith("fabric") and getattr(thing, "__module__", None) == module_name
            )
            if ours and (inspect.isclass(thing) or inspect.isfunction(thing)):
                yield f"{module_name}.{name}", thing


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield (name, attribute) of what a class of ours adds for its users: methods and properties."""
    for name in sorted(vars(kind)):
        attribute = inspect.getattr_static(kind, name)
        if name.startswith("_") or _is_airflows(kind, name):
            continue
        if inspect.isfunction(attribute) or isinstance(attribute, property | classmethod | staticmethod):
            yield name, attribute


def _is_airflows(kind: type, name: str) -> bool:
    """Say whether Airflow declares the method: then it calls it, not the user."""
    if name in NEWER_AIRFLOWS_CALL:
        return True
    return any(name in vars(base) for base in kind.__mro__[1:] if base.__module__.split(".")[0] == "airflow")


def lines() -> Iterator[str]:
    """Yield the public API, a line for each thing."""
    for full_name, thing in public_names():
        if not inspect.isclass(thing):
            yield f"{full_name}{_signature(thing)}"
            continue
        bases = [base.__name__ for base in thing.__bases__ if base.__module__.startswith(PACKAGE)]
        yield f"{full_name}{_signature(thing.__init__)}{' < ' + ', '.join(bases) if bases else ''}"
        names = {name for name, _ in members(thing)}
        for name, attribute in members(thing):
            if isinstance(attribute, property):
                yield f"    {name}: property"
            elif not (name.startswith("a") and name[1:] in names):
                twin = f", and a{name}" if f"a{name}" in names else ""
                yield f"    {name}{_signature(getattr(attribute, '__func__', attribute))}{twin}"


def _signature(function: Any) -> str:
    """Return the parameters without types: how they are called is what is promised."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return "(…)"
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return str(inspect.Signature([parameter for parameter in plain if parameter.name not in NOT_PROMISED]))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the public API, or write it."""
    text = f"# airflow-provider-fabric {airflow_provider_fabric.__version__}\n" + "".join(f"{x}\n" for x in lines())
    if "--write" in (sys.argv[1:] if argv is None else argv):
        SNAPSHOT.write_text(text)
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A class that documents a parameter shows it in its own signature, as the site's pages print it."""

from __future__ import annotations

import inspect
import re

import pytest

from devtools.docs.public_api import public_names

OWN_SIGNATURES = {name: thing for name, thing in public_names() if inspect.isclass(thing) and "__init__" in vars(thing)}


@pytest.mark.parametrize("name", OWN_SIGNATURES)
def test_every_documented_parameter_is_in_the_signature(name: str) -> None:
    thing = OWN_SIGNATURES[name]
    documented = re.findall(r"^:param \*{0,2}(\w+):", inspect.cleandoc(thing.__doc__ or ""), re.MULTILINE)
    taken = inspect.signature(thing.__init__).parameters
    assert [parameter for parameter in documented if parameter not in taken] == []

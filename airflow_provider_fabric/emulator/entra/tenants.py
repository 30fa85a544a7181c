"""Which tenants and resources the sign-in service knows."""

from __future__ import annotations

from airflow_provider_fabric.emulator.entra.errors import EntraError
from airflow_provider_fabric.emulator.state.tokens import AUDIENCES
from airflow_provider_fabric.emulator.state.world import World

OIDC_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})
DOMAIN = "emulator.onmicrosoft.com"
SHARED_TENANTS = frozenset({"common", "organizations"})


def check_tenant(world: World, tenant: str, *, app_only: bool) -> None:
    """Refuse tenants that are not ours.

    :raises EntraError: ``AADSTS90002``; ``AADSTS50059`` for a shared tenant name where one tenant must be named.
    """
    if tenant in (world.tokens.tenant_id, DOMAIN):
        return
    if tenant not in SHARED_TENANTS:
        raise EntraError(
            "invalid_request",
            90002,
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
            "correct cloud.",
        )
    if app_only:
        raise EntraError("invalid_request", 50059, "No tenant-identifying information found in the request.")


def read_audience(scope: str) -> str:
    """Return the resource that scopes ask for.

    :raises EntraError: ``AADSTS70011`` for no resource or several, ``AADSTS500011`` for an unknown one.
    """
    resources = set()
    for name in scope.split():
        if name in OIDC_SCOPES:
            continue
        resource, slash, _ = name.rpartition("/")
        if not slash or "://" not in resource:
            raise EntraError(
                "invalid_scope",
                70011,
                f"The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid.",
            )
        resources.add(resource.rstrip("/"))
    if len(resources) != 1:
        raise EntraError("invalid_scope", 70011, f"The scope '{scope}' must name exactly one resource.")
    return known_resource(resources.pop())


def known_resource(resource: str) -> str:
    """Return ``resource`` if tokens exist for it.

    :raises EntraError: ``AADSTS500011``.
    """
    resource = resource.rstrip("/")
    if resource not in AUDIENCES:
        raise EntraError(
            "invalid_resource",
            500011,
            f"The resource principal named {resource} was not found in the tenant named {DOMAIN}.",
        )
    return resource

"""Microsoft's clouds, which do not know each other's tokens: what a connection says of one must not be another's.

https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud (login hosts),
https://learn.microsoft.com/power-bi/developer/embedded/embed-sample-for-customers-national-clouds (Power BI; the U.S.
Government Community Cloud signs in at the public login host), and the metadata of Azure's environments (Azure Resource
Manager). Azure Storage has one audience in all clouds. What Fabric's own API is called elsewhere is not documented:
nothing is said of it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from airflow_provider_fabric.api.connection.fields import AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricConnectionError

PUBLIC, GOVERNMENT, CHINA = "the public cloud", "Azure Government", "Azure China"

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    PUBLIC: (
        ".login.microsoftonline.com",
        ".login.windows.net",
        ".login.microsoft.com",
        ".analysis.windows.net",
        ".powerbi.com",
        ".management.azure.com",
        ".management.core.windows.net",
    ),
    GOVERNMENT: (".microsoftonline.us", ".usgovcloudapi.net", ".powerbigov.us", ".microsoft.us", ".azure.us"),
    CHINA: (".microsoftonline.cn", ".chinacloudapi.cn", ".powerbi.cn", ".microsoft.cn", ".azure.cn"),
}
"""Cloud → how the names of its hosts end."""

EXAMPLES: Mapping[tuple[str, str], str] = {
    (GOVERNMENT, "authority"): "https://login.microsoftonline.us",
    (GOVERNMENT, "power_bi_host"): "https://api.high.powerbigov.us",
    (GOVERNMENT, "power_bi_scope"): "https://high.analysis.usgovcloudapi.net/powerbi/api/.default",
    (GOVERNMENT, "arm_host"): "https://management.usgovcloudapi.net",
    (GOVERNMENT, "arm_scope"): "https://management.usgovcloudapi.net/.default",
    (CHINA, "authority"): "https://login.partner.microsoftonline.cn",
    (CHINA, "power_bi_host"): "https://api.powerbi.cn",
    (CHINA, "power_bi_scope"): "https://analysis.chinacloudapi.cn/powerbi/api/.default",
    (CHINA, "arm_host"): "https://management.chinacloudapi.cn",
    (CHINA, "arm_scope"): "https://management.chinacloudapi.cn/.default",
    (PUBLIC, "power_bi_scope"): "https://analysis.windows.net/powerbi/api/.default",
    (PUBLIC, "arm_scope"): "https://management.azure.com/.default",
}


def cloud_of(url: str) -> str | None:
    """Return the cloud that a root or a scope surely belongs to; ``None`` if its host may be anybody's."""
    try:
        host = f".{(urlsplit(url).hostname or '').rstrip('.')}"
    except ValueError:  # a scope is any text
        return None
    return next((cloud for cloud, suffixes in SUFFIXES.items() if host.endswith(suffixes)), None)


def check_clouds(settings: FabricSettings, host_field: str, scope_field: str) -> None:
    """Refuse a service whose host or audience is of another cloud than the sign-in, before anything is sent.

    :param settings: the connection.
    :param host_field: the field with the service's root; it has a value.
    :param scope_field: the field with what its token is for.
    :raises FabricConnectionError: they do not go together; it names the field to set.
    """
    if settings.auth_type is AuthType.ACCESS_TOKEN:  # nobody signs in
        return
    login, host = cloud_of(settings.authority), cloud_of(getattr(settings, host_field))
    scope = next(filter(None, map(cloud_of, getattr(settings, scope_field).split())), None)
    if login in (GOVERNMENT, CHINA):
        _agree(settings, "authority", login, host_field, host)
        _agree(settings, "authority", login, scope_field, scope)
    elif login is PUBLIC and host_field == "arm_host":
        _agree(settings, host_field, host, "authority", login)
    _agree(settings, host_field, host, scope_field, scope)


def _agree(settings: FabricSettings, right: str, cloud: str | None, wrong: str, other: str | None) -> None:
    if cloud is None or other is None or cloud == other:
        return
    example = EXAMPLES.get((cloud, wrong))
    value = f"such as {example!r}" if example else f"to that of {cloud}"
    raise FabricConnectionError(
        f"Connection {settings.conn_id!r}: {right} is {getattr(settings, right)!r}, of {cloud}, but {wrong} is "
        f"{getattr(settings, wrong)!r}, of {other}. Microsoft's clouds do not take each other's tokens. Set the extra "
        f"field {wrong!r}, {value}."
    )

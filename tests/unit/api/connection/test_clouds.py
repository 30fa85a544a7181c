"""Which hosts and audiences of a connection go together, and which field is named if they do not."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.api.connection.clouds import CHINA, GOVERNMENT, PUBLIC, check_clouds, cloud_of
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricConnectionError

POWER_BI = ("power_bi_host", "power_bi_scope")
ARM = ("arm_host", "arm_scope")
US = "https://login.microsoftonline.us"
CN = "https://login.partner.microsoftonline.cn"
GCC_HIGH = {
    "power_bi_host": "https://api.high.powerbigov.us",
    "power_bi_scope": "https://high.analysis.usgovcloudapi.net/powerbi/api/.default",
}


def read(**extra: Any) -> FabricSettings:
    base = {"tenant_id": "t.example", **extra}
    host = base.pop("host", None)
    return FabricSettings.from_connection("c", login="app", password="secret", host=host, extra=base)


@pytest.mark.parametrize(
    ("url", "cloud"),
    [
        ("https://login.microsoftonline.com", PUBLIC),
        ("https://api.powerbi.com/", PUBLIC),
        ("https://analysis.windows.net/powerbi/api/.default", PUBLIC),
        ("https://MANAGEMENT.azure.com./.default", PUBLIC),
        ("https://login.microsoftonline.us", GOVERNMENT),
        ("https://mil.analysis.usgovcloudapi.net/powerbi/api/.default", GOVERNMENT),
        ("https://highapi.fabric.microsoft.us", GOVERNMENT),
        ("https://login.chinacloudapi.cn", CHINA),
        ("https://api.powerbi.cn", CHINA),
        ("https://storage.azure.com/.default", None),
        ("https://management.azure.com.gateway.example", None),
        ("https://notmicrosoftonline.us", None),
        ("https://127.0.0.1:8080", None),
        ("https://[broken", None),
        ("Dataset.Read.All", None),
        ("", None),
    ],
)
def test_the_cloud_of_a_host(url: str, cloud: str | None) -> None:
    assert cloud_of(url) == cloud


@pytest.mark.parametrize(
    ("fields", "extra"),
    [
        (POWER_BI, {}),
        (ARM, {}),
        (POWER_BI, {"host": "https://gateway.example"}),
        (POWER_BI, {"authority": US, **GCC_HIGH}),
        (ARM, {"authority": US, "arm_host": "https://management.usgovcloudapi.net"}),
        (ARM, {"authority": CN, "arm_host": "https://management.chinacloudapi.cn"}),
        (ARM, {"authority": US, "arm_host": "https://gw.example", "arm_scope": "https://gw.example/.default"}),
        (  # the U.S. Government Community Cloud signs in at the public login host
            POWER_BI,
            {
                "power_bi_host": "https://api.powerbigov.us",
                "power_bi_scope": "https://analysis.usgovcloudapi.net/powerbi/api/.default",
            },
        ),
        (POWER_BI, {"authority": "https://127.0.0.1:1", "host": "https://127.0.0.1:1"}),
    ],
)
def test_what_goes_together(fields: tuple[str, str], extra: dict[str, Any]) -> None:
    check_clouds(read(**extra), *fields)


WRONG: list[tuple[tuple[str, str], dict[str, Any], str]] = [
    (POWER_BI, {"authority": US}, "power_bi_host"),
    (POWER_BI, {"authority": CN}, "power_bi_host"),
    (POWER_BI, {"authority": US, "power_bi_host": "https://api.high.powerbigov.us"}, "power_bi_scope"),
    (POWER_BI, {"authority": US, "host": "https://gateway.example"}, "power_bi_scope"),
    (POWER_BI, {"authority": CN, **GCC_HIGH}, "power_bi_host"),
    (POWER_BI, {"power_bi_host": "https://api.powerbigov.us"}, "power_bi_scope"),
    (POWER_BI, {"host": "https://highapi.fabric.microsoft.us"}, "power_bi_scope"),
    (POWER_BI, {"power_bi_scope": GCC_HIGH["power_bi_scope"]}, "power_bi_scope"),
    (ARM, {"authority": US, "arm_host": "https://management.azure.com"}, "arm_host"),
    (
        ARM,
        {
            "authority": US,
            "arm_host": "https://management.usgovcloudapi.net",
            "arm_scope": "https://management.azure.com/.default",
        },
        "arm_scope",
    ),
    (
        ARM,
        {
            "authority": CN,
            "arm_host": "https://management.chinacloudapi.cn",
            "arm_scope": "Foo https://management.core.windows.net//.default",
        },
        "arm_scope",
    ),
    (ARM, {"arm_host": "https://management.usgovcloudapi.net"}, "authority"),
    (ARM, {"arm_scope": "https://management.chinacloudapi.cn/.default"}, "arm_scope"),
]


@pytest.mark.parametrize(("fields", "extra", "named"), WRONG)
def test_what_does_not(fields: tuple[str, str], extra: dict[str, Any], named: str) -> None:
    with pytest.raises(FabricConnectionError, match=rf"^Connection 'c': .*Set the extra field '{named}'"):
        check_clouds(read(**extra), *fields)


def test_a_given_token_signs_nobody_in() -> None:
    extra = {"auth_type": "access_token", "authority": US, "power_bi_host": "https://api.high.powerbigov.us"}
    check_clouds(FabricSettings.from_connection("c", password="a.b.c", extra=extra), *POWER_BI)

# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URL, Host and signing scope of the identity request: chosen together, and as botocore has them."""

from __future__ import annotations

import typing as t

import botocore.loaders
import botocore.regions
import botocore.session
import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.endpoints import StsTarget, sts_target
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError

GLOBAL = ("https://sts.amazonaws.com/", "sts.amazonaws.com", "us-east-1")
FRANKFURT = ("https://sts.eu-central-1.amazonaws.com/", "sts.eu-central-1.amazonaws.com", "eu-central-1")


@pytest.mark.parametrize(
    ("region", "endpoint", "expected"),
    [
        (None, "auto", GLOBAL),
        ("us-east-1", "auto", GLOBAL),
        ("eu-central-1", "auto", FRANKFURT),
        (None, "global", GLOBAL),
        ("eu-central-1", "global", GLOBAL),
        (None, "regional", ("https://sts.us-east-1.amazonaws.com/", "sts.us-east-1.amazonaws.com", "us-east-1")),
        ("eu-central-1", "regional", FRANKFURT),
        ("cn-north-1", "auto",
         ("https://sts.cn-north-1.amazonaws.com.cn/", "sts.cn-north-1.amazonaws.com.cn", "cn-north-1")),
        ("us-gov-west-1", "auto",
         ("https://sts.us-gov-west-1.amazonaws.com/", "sts.us-gov-west-1.amazonaws.com", "us-gov-west-1")),
        ("us-iso-east-1", "auto",
         ("https://sts.us-iso-east-1.c2s.ic.gov/", "sts.us-iso-east-1.c2s.ic.gov", "us-iso-east-1")),
        # a region newer than the data, of the form of its partition
        ("eu-north-9", "auto", ("https://sts.eu-north-9.amazonaws.com/", "sts.eu-north-9.amazonaws.com", "eu-north-9")),
        (None, "https://sts.eu-central-1.amazonaws.com/", FRANKFURT),
        ("eu-central-1", "https://sts.eu-central-1.amazonaws.com:443/", FRANKFURT),
        (None, "https://sts.amazonaws.com/", GLOBAL),
        (None, "https://sts-fips.us-west-2.amazonaws.com/",
         ("https://sts-fips.us-west-2.amazonaws.com/", "sts-fips.us-west-2.amazonaws.com", "us-west-2")),
        (None, "https://vpce-0a-1b.sts.eu-west-1.vpce.amazonaws.com/",
         ("https://vpce-0a-1b.sts.eu-west-1.vpce.amazonaws.com/",
          "vpce-0a-1b.sts.eu-west-1.vpce.amazonaws.com", "eu-west-1")),
        ("eu-central-1", "http://127.0.0.1:4566/", ("http://127.0.0.1:4566/", "127.0.0.1:4566", "eu-central-1")),
        (None, "http://127.0.0.1:80/", ("http://127.0.0.1/", "127.0.0.1", "us-east-1")),
        (None, "https://[::1]:443/", ("https://[::1]/", "[::1]", "us-east-1")),
    ],
)  # fmt: skip
def test_target(region: str | None, endpoint: str, expected: tuple[str, str, str]) -> None:
    """Each combination of region and endpoint."""
    assert sts_target(region, endpoint) == StsTarget(*expected)


@pytest.mark.parametrize(
    ("region", "endpoint", "option"),
    [
        ("middle-earth-1", "auto", "region"),
        ("aws-global", "auto", "region"),
        ("eu-central", "regional", "region"),
        ("eu-central-1\n", "auto", "region"),
        ("<html>", "auto", "region"),
        ("nowhere", "https://sts.example.org/", "region"),
        ("cn-north-1", "global", "sts_endpoint"),
        ("us-gov-east-1", "global", "sts_endpoint"),
        ("eu-west-1", "https://sts.eu-central-1.amazonaws.com/", "region"),
        ("eu-west-1", "https://sts.amazonaws.com/", "region"),
    ],
)
def test_contradictions(region: str, endpoint: str, option: str) -> None:
    """A region that is none, and one that the endpoint contradicts."""
    with pytest.raises(ConfigError) as caught:
        sts_target(region, endpoint)
    assert caught.value.option == option
    assert caught.value.hint


def _all_regions() -> list[str]:
    data: t.Any = botocore.loaders.create_loader().load_data("endpoints")
    return [
        region for partition in data["partitions"] for region in partition["regions"] if not region.endswith("-global")
    ]


def test_hosts_are_botocores_own() -> None:
    """Every region of every partition that botocore knows has the host that botocore resolves it to."""
    data: t.Any = botocore.loaders.create_loader().load_data("endpoints")
    resolver = botocore.regions.EndpointResolver(data)
    regions = _all_regions()
    assert len(regions) > 35
    assert {"cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1"} <= set(regions)
    theirs = {region: resolver.construct_endpoint("sts", region) for region in regions}
    ours = {region: sts_target(region, "regional") for region in regions}
    assert {r: target.host for r, target in ours.items()} == {r: str(e and e["hostname"]) for r, e in theirs.items()}
    assert all(target.region == region for region, target in ours.items())


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-7", "cn-north-1", "us-gov-west-1"])
def test_hosts_are_those_of_a_client(region: str) -> None:
    """A botocore client of the region, with its regional setting, speaks to the same URL."""
    session = botocore.session.Session()
    session.set_config_variable("sts_regional_endpoints", "regional")
    client: t.Any = session.create_client("sts", region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
    assert sts_target(region, "regional").url == client.meta.endpoint_url + "/"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "https://evil.example.org"),
        ("AWS_ENDPOINT_URL_STS", "https://evil.example.org"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "legacy"),
        ("AWS_REGION", "eu-west-3"),
        ("AWS_DEFAULT_REGION", "eu-west-3"),
    ],
)
def test_sdk_settings_have_no_say(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Vault sends the request to its own endpoint; the SDK's settings on this host are not about that."""
    monkeypatch.setenv(name, value)
    assert sts_target(None, "auto") == StsTarget(*GLOBAL)
    assert sts_target("eu-central-1", "auto") == StsTarget(*FRANKFURT)

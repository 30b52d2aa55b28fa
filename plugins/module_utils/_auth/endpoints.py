# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which STS endpoint and region an identity request is signed for: URL, Host and scope are chosen together, here."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t
from urllib.parse import urlsplit

from .config import DEFAULT_REGION
from .errors import ConfigError
from .lib_botocore import botocore

GLOBAL_HOST = "sts.amazonaws.com"  # of partition aws only; it lives in us-east-1 (AWS: "AWS STS Regions and endpoints")
GLOBAL_REGION = "us-east-1"


@dataclasses.dataclass(frozen=True)
class StsTarget:
    """An STS endpoint: its URL with a slash at the end, what the Host header says, the region of the signing scope."""

    url: str
    host: str
    region: str


def sts_target(region: str | None, sts_endpoint: str) -> StsTarget:
    """Return where the identity request goes.

    region: a region's name, or None for that of the endpoint's host, else us-east-1. sts_endpoint: ``auto`` (global for
    us-east-1, else regional), ``regional``, ``global``, or a URL. Raises ConfigError for a region that no partition
    knows, and for a region and an endpoint that contradict each other. Settings of the AWS SDK (AWS_ENDPOINT_URL*,
    FIPS, dual-stack) have no say here: Vault sends the request to its own endpoint, and both must fit together.
    """
    if sts_endpoint not in ("auto", "regional", "global"):
        return _target_of_url(region, sts_endpoint)
    region = region or DEFAULT_REGION
    partition = _partition(region)
    if sts_endpoint == "global" and partition["id"] != "aws":
        raise ConfigError(
            "sts_endpoint",
            f"global does not exist in the partition {partition['id']} of region {region}",
            hint="use auto or regional",
        )
    if sts_endpoint == "global" or (sts_endpoint == "auto" and region == GLOBAL_REGION):
        return StsTarget(f"https://{GLOBAL_HOST}/", GLOBAL_HOST, GLOBAL_REGION)
    host = f"sts.{region}.{partition['outputs']['dnsSuffix']}"
    return StsTarget(f"https://{host}/", host, region)


def _target_of_url(region: str | None, url: str) -> StsTarget:
    parts = urlsplit(url)
    named = GLOBAL_REGION if parts.hostname == GLOBAL_HOST else _region_in(parts.hostname or "")
    if region and named and region != named:
        raise ConfigError(
            "region", f"{region} contradicts the region {named} of sts_endpoint {url}", hint="let both name one region"
        )
    region = region or named or DEFAULT_REGION
    _partition(region)
    default = {"https": 443, "http": 80}[parts.scheme]
    host = parts.netloc if parts.port != default else parts.netloc.rsplit(":", 1)[0]
    return StsTarget(f"{parts.scheme}://{host}/", host, region)


def _region_in(host: str) -> str | None:
    """The region that a host of AWS names (regional, FIPS or VPC endpoint), or None."""
    for label in host.split("."):
        if any(re.fullmatch(partition["regionRegex"], label) for partition in _partitions()):
            return label
    return None


def _partition(region: str) -> t.Mapping[str, t.Any]:
    """The partition of ``region``: listed there, or of the form of its regions (so that new ones work)."""
    for partition in _partitions():
        listed = region in partition["regions"] and not region.endswith("-global")
        if listed or re.fullmatch(partition["regionRegex"], region):
            return partition
    raise ConfigError("region", f"{region[:80]!r} is in no AWS partition", hint="give a region such as eu-central-1")


@functools.cache
def _partitions() -> tuple[t.Mapping[str, t.Any], ...]:
    # botocore's own endpoint data; it lists the partitions once more in the far larger endpoints.json.
    data: t.Any = botocore.loaders.create_loader().load_data("partitions")
    return tuple(data["partitions"])

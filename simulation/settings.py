"""Random configurations: the one with which a seed starts and ends, and the changes in between."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from exporter.config import Config
from exporter.domain.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from simulation.simulated_account import SimulatedAccount

# Pairs of interval and idle_interval, with weights. Polls take most of a simulation's time, so the defaults are rare.
INTERVALS = (("1m", "5m"), ("5m", "20m"), ("10m", "1h"), ("20m", "1h"), ("20m", "2h"), ("30m", "3h"), ("1h", "4h"))
WEIGHTS = (1, 1, 4, 10, 20, 50, 50)
NAME_SUFFIX = "-again"  # added to the name of a data source that is renamed


def account_of(target: Any, accounts: Sequence[SimulatedAccount]) -> SimulatedAccount:
    """Return the account that a target is connected to."""
    return next(account for account in accounts if account.endpoint == target.endpoint_url)


def make_settings(rng: Random, accounts: Sequence[SimulatedAccount], state: str) -> dict[str, Any]:
    """Return the configuration with which a seed starts and ends. It watches every data source."""
    interval, idle = rng.choices(INTERVALS, WEIGHTS)[0]
    polling = {
        "interval": interval,
        "idle_interval": idle,
        "window": rng.choice(("6h", "24h", "3d")),
        "concurrency": rng.choice((1, 2, 8)),
        "requests_per_second": rng.choice((0.2, 1.0, 5.0, 5.0)),
        "timeout": rng.choice(("5s", "20s")),
    }
    targets = [_target(rng, account, account.name) for account in accounts]
    if rng.random() < 1 / 5:  # two targets watch the same account
        targets.append(_target(rng, accounts[0], f"{accounts[0].name}-too"))
    return {"targets": targets, "polling": polling, "state": {"path": state}}


def _target(rng: Random, account: SimulatedAccount, name: str) -> dict[str, Any]:
    target: dict[str, Any] = {
        "name": name,
        "service": account.traits.service.name,
        "region": "us-east-1",
        "endpoint_url": account.endpoint,
    }
    if rng.random() < 1 / 4:
        target["role_arn"] = f"arn:aws:iam::{account.fleet.account}:role/reader"
    is_named = rng.random() < 1 / 3 and not name.endswith("-too")
    if is_named:
        target["data_sources"] = [
            account.traits.ids(application, index, source)
            for application, index, source in account.fleet.data_sources()
        ]
    if not is_named or rng.random() < 1 / 3:
        target["discovery"] = {
            "interval": rng.choices(("15m", "1h", "3h", "6h"), (1, 4, 16, 50))[0],
            "tag_labels": rng.choice(([], ["team"])),
        }
    return target


def vary(rng: Random, settings: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with one random change, which an operator might make and later revert."""
    varied = copy.deepcopy(settings)
    target = rng.choice(varied["targets"])
    change = rng.choice(("intervals", "window", "rate", "filter", "remove source", "remove target", "workers"))
    if change == "intervals":
        varied["polling"]["interval"], varied["polling"]["idle_interval"] = rng.choice(INTERVALS[2:])
    elif change == "window":
        varied["polling"]["window"] = rng.choice(("6h", "24h", "3d"))
    elif change == "rate":
        varied["polling"]["requests_per_second"] = rng.choice((0.1, 0.5, 5.0))
    elif change == "workers":
        varied["polling"]["concurrency"] = rng.choice((1, 3, 8))
    elif change == "filter" and "discovery" in target:
        # Discovery reads a new name later, so the filter matches a data source before and after it is renamed.
        number = rng.randrange(3)
        globs = (f"*-{number}", f"*-{number}{NAME_SUFFIX}*")
        target["discovery"]["exclude"] = [{"data_source": glob} for glob in globs]
    elif change == "remove source" and len(target.get("data_sources", ())) > 1:
        target["data_sources"].pop(rng.randrange(len(target["data_sources"])))
    elif change == "remove target" and len(varied["targets"]) > 1:
        varied["targets"].remove(target)
    return varied


def config_of(settings: dict[str, Any]) -> Config:
    """Return the program's configuration object."""
    return Config.model_validate(settings)


def active_interval(settings: dict[str, Any]) -> float:
    """Return the seconds between two polls of a data source with a sync in progress."""
    return parse_duration(settings["polling"]["interval"])


def idle_interval(settings: dict[str, Any]) -> float:
    """Return the seconds between two polls of a data source without a sync in progress."""
    return max(parse_duration(settings["polling"]["idle_interval"]), active_interval(settings))


def targets_of(settings: dict[str, Any], account: SimulatedAccount) -> list[dict[str, Any]]:
    """Return the targets that are connected to an account."""
    return [target for target in settings["targets"] if target["endpoint_url"] == account.endpoint]

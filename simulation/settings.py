"""Configurations by chance: what a seed's program is told to watch, and what it is told later."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from exporter.config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from simulation.simulated_account import Account

# Polls are what a week costs: the defaults only now and then.
PACES = (("1m", "5m"), ("5m", "20m"), ("10m", "1h"), ("20m", "1h"), ("20m", "2h"), ("30m", "3h"), ("1h", "4h"))
OFTEN = (1, 1, 4, 10, 20, 50, 50)


def account_of(target: Any, accounts: Sequence[Account]) -> Account:
    """Give the account that a target is connected to."""
    return next(account for account in accounts if account.endpoint == target.endpoint_url)


def make_settings(dice: Random, accounts: Sequence[Account], state: str) -> dict[str, Any]:
    """Make the configuration that a seed begins and ends with: everything in it is watched."""
    interval, idle = dice.choices(PACES, OFTEN)[0]
    polling = {
        "interval": interval,
        "idle_interval": idle,
        "window": dice.choice(("6h", "24h", "3d")),
        "concurrency": dice.choice((1, 2, 8)),
        "requests_per_second": dice.choice((0.2, 1.0, 5.0, 5.0)),
        "timeout": dice.choice(("5s", "20s")),
    }
    targets = [_target(dice, account, account.name) for account in accounts]
    if dice.random() < 1 / 5:  # two targets see the same
        targets.append(_target(dice, accounts[0], f"{accounts[0].name}-too"))
    return {"targets": targets, "polling": polling, "state": {"path": state}}


def _target(dice: Random, account: Account, name: str) -> dict[str, Any]:
    target: dict[str, Any] = {"name": name, "region": "us-east-1", "endpoint_url": account.endpoint}
    if dice.random() < 1 / 4:
        target["role_arn"] = f"arn:aws:iam::{account.fleet.account}:role/reader"
    named = dice.random() < 1 / 3 and not name.endswith("-too")
    if named:
        target["data_sources"] = [
            {"application_id": application.id, "index_id": index.id, "data_source_id": source.id}
            for application, index, source in account.fleet.data_sources()
        ]
    if not named or dice.random() < 1 / 3:
        target["discovery"] = {
            "interval": dice.choices(("15m", "1h", "3h", "6h"), (1, 4, 16, 50))[0],
            "tag_labels": dice.choice(([], ["team"])),
        }
    return target


def vary(dice: Random, settings: dict[str, Any]) -> dict[str, Any]:
    """Change something, as people do before they change it back."""
    varied = copy.deepcopy(settings)
    target = dice.choice(varied["targets"])
    change = dice.choice(("pace", "window", "budget", "filter", "without one", "without target", "workers"))
    if change == "pace":
        varied["polling"]["interval"], varied["polling"]["idle_interval"] = dice.choice(PACES[2:])
    elif change == "window":
        varied["polling"]["window"] = dice.choice(("6h", "24h", "3d"))
    elif change == "budget":
        varied["polling"]["requests_per_second"] = dice.choice((0.1, 0.5, 5.0))
    elif change == "workers":
        varied["polling"]["concurrency"] = dice.choice((1, 3, 8))
    elif change == "filter" and "discovery" in target:
        target["discovery"]["exclude"] = [{"data_source": f"*-{dice.randrange(3)}"}]
    elif change == "without one" and len(target.get("data_sources", ())) > 1:
        target["data_sources"].pop(dice.randrange(len(target["data_sources"])))
    elif change == "without target" and len(varied["targets"]) > 1:
        varied["targets"].remove(target)
    return varied


def config_of(settings: dict[str, Any]) -> Config:
    """Read a configuration as the program does."""
    return Config.model_validate(settings)

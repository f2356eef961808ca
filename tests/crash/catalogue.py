"""Every scenario by its name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.crash import authorities, bulk, scenarios
from tests.crash.scenarios import Scenario

SCENARIOS: Mapping[str, Scenario] = {
    "issue": scenarios.issue,
    "issue-with-key": scenarios.issue_with_key,
    "revoke": scenarios.revoke,
    "publish": scenarios.publish,
    "release": scenarios.release,
    "exhaust": scenarios.exhaust,
    "open-tenant": scenarios.open_tenant,
    "bulk": bulk.bulk,
    "create-ca": authorities.create_ca,
    "rekey-ca": authorities.rekey_ca,
    "install-ca": authorities.install_ca,
}

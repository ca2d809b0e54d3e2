"""Records and indexes of the fake server; see `fake_crypto.py`."""

from __future__ import annotations

import secrets

from tutela_message import SUITES, Head, Refused
from tutela_record import Rule, deterministic, index, open_record, seal_record


class FakeRecords:
    policies: dict = {}

    def seal_record(self, body):
        key, rules = self.policy(body)
        head = Head(SUITES[1], key.id, len(key.versions))
        salt = secrets.token_bytes(24)
        return {"record": seal_record(head, key.versions[-1], rules, body["record_id"], body["record"], salt)}

    def open_record(self, body):
        _, rules = self.policy(body)
        return {"record": open_record(self.find, rules, body["record_id"], body["record"])}

    def index(self, body):
        key, rules = self.policy(body)
        [rule] = [rule for rule in rules if rule.path == body["path"]]
        if rule.mode == "random":
            raise Refused("this field has no index")
        tokens = []
        for number, data_key in enumerate(key.versions, 1):
            if rule.mode == "equality":
                tokens.append(index(data_key, rule.path, body["value"], rule.index_bits))
            else:
                head = Head(SUITES[5], key.id, number)
                tokens.append(deterministic(head, data_key, rule.path, body["value"]))
        return {"tokens": tokens}

    def policy(self, body):
        policy = body["policy"]
        if isinstance(policy, str):
            if policy not in self.policies:
                raise Refused(f"there is no policy `{policy}`")
            policy = self.policies[policy]
        if set(policy) - {"key", "fields"} or not 1 <= len(policy["fields"]) <= 256:
            raise Refused("the policy is malformed")
        return self.key(policy.get("key", "default")), [Rule(**rule) for rule in policy["fields"]]

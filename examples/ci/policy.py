"""Judges the objects that a plan would write: python3 policy.py plan.json, where terraform show -json made plan.json.

Every object of every cluster is in the plan as JSON, by <cluster or *>/<Kind>/<namespace>/<name>. Add rules of your own to RULES.
"""

import json
import sys


def no_envoy_filters(_address, key, manifest):
    if manifest["kind"] == "EnvoyFilter":
        return "EnvoyFilters need an exception of the platform team"


def only_internal_hosts(_address, key, manifest):
    if manifest["kind"] == "ServiceEntry":
        for host in manifest["spec"]["hosts"]:
            if not host.endswith((".internal", ".global")):
                return f"the host {host} is not internal"


RULES = [no_envoy_filters, only_internal_hosts]


def breaches(plan):
    for change in plan.get("resource_changes", []):
        if not change["type"].startswith("gloo_"):
            continue
        after = change["change"].get("after") or {}
        unknown = (change["change"].get("after_unknown") or {}).get("manifests")
        if unknown is True:
            yield f"{change['address']}: its objects are known after apply only"
        for key, text in (after.get("manifests") or {}).items():
            if text is None or (isinstance(unknown, dict) and unknown.get(key)):
                yield f"{change['address']}: {key} is known after apply only"
                continue
            for rule in RULES:
                if reason := rule(change["address"], key, json.loads(text)):
                    yield f"{change['address']}: {key}: {reason}"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        found = list(breaches(json.load(file)))
    print("\n".join(found) or "every object keeps the rules")
    sys.exit(1 if found else 0)

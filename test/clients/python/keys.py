"""The keys' scenario with azure-keyvault-keys, all arguments at their defaults. One line of JSON per step on standard output."""
import json
import os
import sys
from datetime import datetime, timezone

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.keyvault.keys import KeyClient

with open(sys.argv[1], encoding="utf-8") as file:
    scenario = json.load(file)
client = KeyClient(f"https://{scenario['hsm']}.managedhsm.azure.net", ClientSecretCredential(os.environ["MHSM_TENANT"], "owner", "any"))
# All versions created, in order.
created = []


def key_of(key):
    of = key.properties
    return {
        "name": key.name,
        "kty": key.key_type,
        "crv": key.key.crv,
        "bits": key.key.n and len(key.key.n) * 8,
        "ops": sorted(key.key_operations),
        "enabled": of.enabled,
        "expires": of.expires_on and int(of.expires_on.timestamp()),
        "recoveryLevel": of.recovery_level,
        "recoverableDays": of.recoverable_days,
        "tags": of.tags,
        "version": of.version,
    }


def deleted_of(key):
    return {**key_of(key), "recoveryId": key.recovery_id, "deletedAt": key.deleted_date.isoformat(), "purgeAt": key.scheduled_purge_date.isoformat()}


def options_of(step, **more):
    given = {"key_operations": step.get("ops"), "enabled": step.get("enabled"), "tags": step.get("tags"), **more}
    if "expires" in step:
        given["expires_on"] = datetime.fromtimestamp(step["expires"], timezone.utc)
    return {name: value for name, value in given.items() if value is not None}


def version_of(step):
    return created[step["version"] - 1] if "version" in step else None


def create(name, step):
    key = client.create_key(name, step["kty"], **options_of(step, size=step.get("size"), curve=step.get("crv")))
    created.append(key.properties.version)
    return key_of(key)


def waited(poller, shown):
    poller.wait()
    return shown(poller.result())


def purge(name, _step):
    client.purge_deleted_key(name)
    return {}


CALLS = {
    "create": create,
    "update": lambda name, step: key_of(client.update_key_properties(name, version_of(step), **options_of(step))),
    "get": lambda name, step: key_of(client.get_key(name, version_of(step))),
    "versions": lambda name, _: {"versions": [of.version for of in client.list_properties_of_key_versions(name)]},
    "list": lambda *_: {"names": [of.name for of in client.list_properties_of_keys()]},
    "listDeleted": lambda *_: {"names": [key.name for key in client.list_deleted_keys()]},
    "getDeleted": lambda name, _: deleted_of(client.get_deleted_key(name)),
    "delete": lambda name, _: waited(client.begin_delete_key(name), deleted_of),
    "recover": lambda name, _: waited(client.begin_recover_deleted_key(name), key_of),
    "purge": purge,
}


def outcome_of(step):
    try:
        return CALLS[step["do"]](step.get("key"), step)
    except HttpResponseError as error:
        return {"status": error.status_code, "code": error.error.code if error.error else None}


for each in scenario["steps"]:
    print(json.dumps(outcome_of(each)), flush=True)

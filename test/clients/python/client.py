"""The scenario with azure-mgmt-keyvault, all arguments at their defaults. One line of JSON per step on standard output."""
import json
import os
import sys

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.keyvault.models import CheckMhsmNameAvailabilityParameters, ManagedHsm, ManagedHsmProperties, ManagedHsmSku

TENANT = os.environ["MHSM_TENANT"]
with open(sys.argv[1], encoding="utf-8") as file:
    scenario = json.load(file)
GROUP, LOCATION = scenario["group"], scenario["location"]
hsms = KeyVaultManagementClient(ClientSecretCredential(TENANT, "owner", "any"), os.environ["MHSM_SUBSCRIPTION"]).managed_hsms


def hsm_of(hsm):
    of = hsm.properties
    return {
        "name": hsm.name,
        "location": hsm.location,
        "uri": of.hsm_uri,
        "state": of.provisioning_state,
        "softDelete": of.enable_soft_delete,
        "retentionDays": of.soft_delete_retention_in_days,
        "purgeProtection": of.enable_purge_protection,
        "tags": dict(hsm.tags),
    }


def deleted_of(hsm):
    of = hsm.properties
    return {
        "name": hsm.name,
        "location": of.location,
        "from": of.mhsm_id,
        "purgeProtection": of.purge_protection_enabled,
        "tags": dict(of.tags),
        "deletedAt": of.deletion_date.isoformat(),
        "purgeAt": of.scheduled_purge_date.isoformat(),
    }


def names_of(hsms_listed):
    return {"names": [hsm.name for hsm in hsms_listed]}


def check_name(name, _step):
    answer = hsms.check_mhsm_name_availability(CheckMhsmNameAvailabilityParameters(name=name))
    return {"available": answer.name_available, **({"reason": answer.reason} if answer.reason else {})}


def create(name, step):
    properties = ManagedHsmProperties(
        tenant_id=TENANT,
        initial_admin_object_ids=[scenario["administrator"]],
        soft_delete_retention_in_days=step.get("retentionDays"),
        enable_purge_protection=step.get("purgeProtection"),
    )
    hsm = ManagedHsm(location=LOCATION, sku=ManagedHsmSku(family="B", name="Standard_B1"), tags=step.get("tags"), properties=properties)
    return hsm_of(hsms.begin_create_or_update(GROUP, name, hsm).result())


def update(name, step):
    protect = step.get("purgeProtection")
    properties = None if protect is None else ManagedHsmProperties(enable_purge_protection=protect)
    return hsm_of(hsms.begin_update(GROUP, name, ManagedHsm(tags=step.get("tags"), properties=properties)).result())


def recover(name, _step):
    return hsm_of(hsms.begin_create_or_update(GROUP, name, ManagedHsm(location=LOCATION, properties=ManagedHsmProperties(create_mode="recover"))).result())


def delete(name, _step):
    hsms.begin_delete(GROUP, name).result()
    return {}


def purge(name, _step):
    hsms.begin_purge_deleted(name, LOCATION).result()
    return {}


CALLS = {
    "checkName": check_name,
    "create": create,
    "update": update,
    "recover": recover,
    "get": lambda name, _: hsm_of(hsms.get(GROUP, name)),
    "list": lambda *_: names_of(hsms.list_by_subscription()),
    "listByGroup": lambda *_: names_of(hsms.list_by_resource_group(GROUP)),
    "listDeleted": lambda *_: names_of(hsms.list_deleted()),
    "getDeleted": lambda name, _: deleted_of(hsms.get_deleted(name, LOCATION)),
    "delete": delete,
    "purge": purge,
}


def outcome_of(step):
    try:
        return CALLS[step["do"]](step.get("hsm"), step)
    except HttpResponseError as error:
        return {"status": error.status_code, "code": error.error.code if error.error else None}


for each in scenario["steps"]:
    print(json.dumps(outcome_of(each)), flush=True)

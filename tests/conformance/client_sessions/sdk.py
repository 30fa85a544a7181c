"""A session of Microsoft's SDK for Python, in a process of its own; prints what it has done, a line each.

Its arguments: tenant, client id, client secret, workspace id. The service is the public one, by its public name.
"""

import base64
import json
import sys

from azure.identity import ClientSecretCredential
from microsoft_fabric_api import FabricClient

tenant, client_id, secret, workspace = sys.argv[1:]
client = FabricClient(ClientSecretCredential(tenant, client_id, secret))
core = client.core


def done(what, value=None):
    print(f"{what}: {value}", flush=True)


def definition(**parts):
    encoded = {path: base64.b64encode(json.dumps(content).encode()).decode() for path, content in parts.items()}
    return {"parts": [{"path": p, "payload": e, "payloadType": "InlineBase64"} for p, e in encoded.items()]}


PIPELINE = {"pipeline-content.json": {"properties": {"activities": []}}}
COPY_JOB = {"copyjob-content.json": {"properties": {"jobMode": "Batch"}, "activities": []}}
SCHEDULE = {
    "enabled": True,
    "configuration": {
        "type": "Cron",
        "interval": 10,
        "startDateTime": "2030-01-01T00:00:00Z",
        "endDateTime": "2031-01-01T00:00:00Z",
        "localTimeZoneId": "UTC",
    },
}

done("list workspaces", [entry.display_name for entry in core.workspaces.list_workspaces()])

# Items of any kind; create and both definition calls are long-running operations.
wanted = {"displayName": "From the SDK", "type": "DataPipeline", "definition": definition(**PIPELINE)}
item = core.items.create_item(workspace, wanted)
done("create item", item.display_name)
done("get item", core.items.get_item(workspace, item.id).type)
got = core.items.get_item_definition(workspace, item.id)
done("get item definition", sorted(part.path for part in got.definition.parts))
core.items.update_item_definition(workspace, item.id, {"definition": definition(**PIPELINE)})
done("update item definition")
done("update item", core.items.update_item(workspace, item.id, {"description": "Changed"}).description)
done("list items", [entry.display_name for entry in core.items.list_items(workspace)])

# The job scheduler.
core.job_scheduler.run_on_demand_item_job(workspace, item.id, "Execute")
done("run item job")
runs = list(core.job_scheduler.list_item_job_instances(workspace, item.id))
done("list item job instances", len(runs))
done("get item job instance", core.job_scheduler.get_item_job_instance(workspace, item.id, runs[0].id).job_type)
core.job_scheduler.cancel_item_job_instance(workspace, item.id, runs[0].id)
done("cancel item job instance")
made = core.job_scheduler.create_item_schedule(workspace, item.id, "Execute", SCHEDULE)
done("create item schedule", made.enabled)
done("list item schedules", len(list(core.job_scheduler.list_item_schedules(workspace, item.id, "Execute"))))
changed = core.job_scheduler.update_item_schedule(
    workspace, item.id, "Execute", made.id, {**SCHEDULE, "enabled": False}
)
done("update item schedule", changed.enabled)
done("get item schedule", core.job_scheduler.get_item_schedule(workspace, item.id, "Execute", made.id).enabled)
core.job_scheduler.delete_item_schedule(workspace, item.id, "Execute", made.id)
done("delete item schedule")

# Typed collections.
copy_job = client.copyjob.items.create_copy_job(
    workspace, {"displayName": "Copy", "definition": definition(**COPY_JOB)}
)
done("create copy job", copy_job.type)
client.copyjob.items.reset_copy_job(workspace, copy_job.id, {"resetAllCopyJobEntities": True})
done("reset copy job")
done("list copy jobs", [entry.display_name for entry in client.copyjob.items.list_copy_jobs(workspace)])
dataflow = client.dataflow.items.create_dataflow(workspace, {"displayName": "Flow"})
done("create dataflow", dataflow.type)
client.dataflow.background_jobs.run_on_demand_apply_changes(workspace, dataflow.id)
done("publish dataflow")
client.dataflow.background_jobs.run_on_demand_execute(
    workspace, dataflow.id, {"executionData": {"executeOption": "ApplyChangesIfNeeded"}}
)
done("run dataflow")
client.datapipeline.background_jobs.run_on_demand_execute(workspace, item.id)
done("run data pipeline")
runs = list(client.datapipeline.background_jobs.list_execute_job_instances(workspace, item.id))
done("list data pipeline runs", len(runs))
client.dataflow.items.delete_dataflow(workspace, dataflow.id)
done("delete dataflow")
core.items.delete_item(workspace, item.id)
done("delete item")

# Long-running operations, by hand.
answers = []
core.items.get_item_definition(workspace, copy_job.id, raw_response_hook=answers.append)
ids = [answer.http_response.headers.get("x-ms-operation-id") for answer in answers]
operation = next((entry for entry in ids if entry), None)
if operation:
    done("get operation state", core.long_running_operations.get_operation_state(operation).status)
    done("get operation result", core.long_running_operations.get_operation_result(operation) is None)

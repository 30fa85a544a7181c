"""A session of Microsoft's deployment client, in a process of its own; prints what it has done, a line each.

Its arguments: tenant, client id, client secret, workspace id, the folder to publish.
"""

import sys

from azure.identity import ClientSecretCredential
from fabric_cicd import FabricWorkspace, publish_all_items, unpublish_all_orphan_items

tenant, client_id, secret, workspace_id, folder = sys.argv[1:]
credential = ClientSecretCredential(tenant, client_id, secret)


def workspace(directory):
    return FabricWorkspace(
        workspace_id=workspace_id,
        repository_directory=directory,
        item_type_in_scope=["DataPipeline", "Dataflow", "CopyJob"],
        token_credential=credential,
    )


for what in ("publish", "publish again"):
    publish_all_items(workspace(folder))
    print(f"{what}:", flush=True)
unpublish_all_orphan_items(workspace(f"{folder}/nothing"))
print("unpublish:", flush=True)

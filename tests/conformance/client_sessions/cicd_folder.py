"""``fabric-cicd`` in an environment of its own, with a token of an Airflow connection; prints ``published``.

The recipe of docs/capabilities/deploy.md: the task that starts it writes the token to its standard input.
Its arguments: workspace id, the folder to publish.
"""

import json
import sys

from azure.core.credentials import AccessToken
from fabric_cicd import FabricWorkspace, publish_all_items

workspace_id, folder = sys.argv[1:]
given = AccessToken(**json.load(sys.stdin))


class GivenToken:
    def get_token(self, *scopes, **options):
        return given


publish_all_items(
    FabricWorkspace(workspace_id=workspace_id, repository_directory=folder, token_credential=GivenToken())
)
print("published", flush=True)

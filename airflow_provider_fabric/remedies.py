"""What to do about an error code, in one sentence each.

Codes are from Microsoft's API reference and from what users of Fabric reported; the remedies are ours.
"""

from __future__ import annotations

from collections.abc import Mapping

_NOT_FOUND = (
    "Check the item's id and workspace, and that the identity can see it. If it is a dataflow: one made without CI/CD "
    "and Git support is of the wrong kind for this API; save it as a new Dataflow Gen2 (CI/CD)."
)
_FULL = "The capacity is full: let other jobs end, run later, or scale the capacity up."

REMEDIES: Mapping[str, str] = {
    "DataflowNeverPublishedError": (
        'Publish the dataflow first (FabricPublishDataflowOperator), or refresh it with apply_changes="if_needed".'
    ),
    "SPNBasedRefreshNotAllowed": (
        "This dataflow cannot be run by a service principal: use a connection that signs in as a user "
        "(auth_type refresh_token), or run the dataflow from a pipeline."
    ),
    "PrincipalTypeNotSupported": (
        "This operation is not open to this kind of identity: use a connection that signs in as a user "
        "(auth_type refresh_token), or run the item from a pipeline."
    ),
    "InsufficientPrivileges": (
        "Grant the identity the role Contributor on the workspace, or Member for dataflows and dbt jobs."
    ),
    "InsufficientScopes": (
        "Ask for the delegated scopes Workspace.ReadWrite.All, Item.ReadWrite.All, Item.Execute.All, and "
        "Dataflow.Execute.All for dataflows."
    ),
    "Unauthorized": "Check that the identity may use Fabric APIs (tenant setting) and is a member of the workspace.",
    "UserNotLicensed": (
        "The token is of another tenant, or its user has no Fabric licence there: check tenant_id and login, and that "
        "the user has a licence."
    ),
    "TokenExpired": "The token was refused also after a new one was fetched: check the clock of this machine.",
    "CapacityNotActive": (
        "The capacity is paused: resume it with FabricResumeCapacityOperator, or in the Azure portal, then run the "
        "task again."
    ),
    "CapacityNotAvailable": _FULL,
    "CapacityLimitExceeded": _FULL,
    "TooManyRequestsForCapacity": _FULL,
    "TooManyRequestsForJobs": "Too many jobs at once: spread the runs, or lower the pool's slots.",
    "RequestBlocked": "The identity is over its quota of 200 calls a minute: spread the runs, or use another identity.",
    "DataflowNotParametricError": "The dataflow declares no parameters: leave parameters out, or declare them in it.",
    "ItemNotFound": _NOT_FOUND,
    "EntityNotFound": _NOT_FOUND,
    "PowerBIEntityNotFound": (
        "Check the ids, and that the identity is a member of the workspace: Power BI answers so to those who are not."
    ),
    "WorkspaceNotFound": "Check the workspace's id, and that the identity is a member of it.",
    "InvalidJobType": "Check job_type: it depends on the kind of item.",
    "InvalidItemType": "Check item_type: it is the API's name of the kind, such as DataPipeline, Dataflow or CopyJob.",
    "RefreshInProgressException": (
        'Another refresh of this semantic model is under way: wait for it, or set if_running="attach".'
    ),
    "ItemDisplayNameAlreadyInUse": "Choose another display name, or update the item that has it.",
    "ItemDisplayNameNotAvailableYet": "The name was freed just now and becomes available soon: retry.",
    "CorruptedPayload": "Check the definition: a part is not valid base64, or not what its path promises.",
    "FeatureNotAvailable": "The tenant or the item does not offer this yet.",
    "WorkspaceTypeNotSupported": "Assign the workspace to a Fabric capacity.",
    "UnsupportedCapacitySKU": "Assign the workspace to a Fabric capacity that supports this item.",
}

_BY_STATUS: Mapping[int, str] = {
    403: "Grant the identity a role on the workspace, and check that the tenant lets it use Fabric APIs.",
    429: "The identity is over its quota: spread the runs, or use another identity.",
    430: _FULL,
}


def remedy_for(error_code: str | None, status: int | None = None) -> str | None:
    """Return what to do about an error code, or failing that about an HTTP status.

    :param error_code: the service's ``errorCode``.
    :param status: HTTP status of the refusal, if there was one.
    """
    return REMEDIES.get(error_code or "") or _BY_STATUS.get(status or 0)

"""The whole state of one emulator in one place, and its reset."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_fabric.emulator.state.capacities import CapacityStore
from airflow_provider_fabric.emulator.state.config import Config
from airflow_provider_fabric.emulator.state.deployment_pipelines import DeploymentPipelineStore
from airflow_provider_fabric.emulator.state.device_codes import DeviceCodes
from airflow_provider_fabric.emulator.state.eventstreams import EventstreamStore
from airflow_provider_fabric.emulator.state.faults import Faults
from airflow_provider_fabric.emulator.state.files import FileStore
from airflow_provider_fabric.emulator.state.identities import Identities, Identity
from airflow_provider_fabric.emulator.state.ids import new_id
from airflow_provider_fabric.emulator.state.items import ItemStore
from airflow_provider_fabric.emulator.state.job_rules import JobRules
from airflow_provider_fabric.emulator.state.jobs import JobStore
from airflow_provider_fabric.emulator.state.operations import OperationStore
from airflow_provider_fabric.emulator.state.quota import Quota
from airflow_provider_fabric.emulator.state.refreshes import RefreshStore
from airflow_provider_fabric.emulator.state.request_log import RequestLog
from airflow_provider_fabric.emulator.state.schedules import ScheduleStore
from airflow_provider_fabric.emulator.state.tokens import Tokens, new_secret
from airflow_provider_fabric.emulator.state.workspaces import WorkspaceStore

WORKSPACE_NAME = "Emulator workspace"


@dataclass(frozen=True)
class Tenant:
    """What survives a restart, so that connections stay valid."""

    tenant_id: str
    client_id: str
    client_secret: str
    workspace_id: str
    user_id: str

    @classmethod
    def new(cls) -> Tenant:
        """Make a tenant up."""
        return cls(new_id(), new_id(), new_secret(), new_id(), new_id())


class World:
    """The state of one emulator.

    :param tenant: ids and secret of the tenant.
    :param config: settings to start from and to go back to.
    :param signing_key: key of the access tokens.
    :param clock: epoch seconds; every other time is computed from it.
    """

    def __init__(
        self,
        tenant: Tenant | None = None,
        config: Config | None = None,
        signing_key: rsa.RSAPrivateKey | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tenant = tenant or Tenant.new()
        self.clock = clock
        self.start_config = config or Config()
        self._signing_key = signing_key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.tokens = Tokens(self._signing_key, self.tenant.tenant_id)
        self.reset()

    def reset(self) -> None:
        """Go back to the seeded workspace and identities; tokens that were issued stay valid."""
        self.config = self.start_config
        self.capacities = CapacityStore()
        self.deployment_pipelines = DeploymentPipelineStore()
        self.files = FileStore()
        self.workspaces = WorkspaceStore()
        self.items = ItemStore()
        self.jobs = JobStore(self.config.completed_jobs_listed)
        self.eventstreams = EventstreamStore(self.items, self.jobs)
        self.job_rules = JobRules()
        self.operations = OperationStore()
        self.schedules = ScheduleStore()
        self.refreshes = RefreshStore()
        self.device_codes = DeviceCodes()
        self.faults = Faults()
        self.quota = Quota()
        self.log = RequestLog()
        self.tokens.issued = 0
        self.identities = Identities()
        self._seed()

    def _seed(self) -> None:
        tenant = self.tenant
        self.workspaces.create(WORKSPACE_NAME, "Seeded by the emulator", tenant.workspace_id)
        self.identities.add(Identity(tenant.client_id, client_secret=tenant.client_secret, object_id=tenant.client_id))
        self.user = self.identities.add(
            Identity(
                tenant.user_id,
                kind="user",
                object_id=tenant.user_id,
                user_principal_name="user@emulator.example",
            )
        )
        self.identities.add(Identity(new_id(), kind="managed_identity"))

    def configure(self, config: Config) -> None:
        """Use other settings from now on."""
        self.config = config
        self.jobs.completed_listed = config.completed_jobs_listed

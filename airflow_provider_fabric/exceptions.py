"""Everything this package raises.

::

    FabricError
    ├── FabricInputError                 an argument is wrong; nothing was sent
    │   ├── FabricConnectionError        a field of the Airflow connection is wrong
    │   └── FabricNameError              a display name fits no item, or several
    ├── FabricAuthError                  Entra did not issue a token
    ├── FabricTransportError             no answer came
    ├── FabricProtocolError              the answer is not what the API documents
    ├── FabricAmbiguousError             a submit or create may have been accepted; it was not repeated
    ├── FabricApiError                   the service said no (status_code, error_code, request_id, …)
    │   ├── FabricBadRequestError        400
    │   ├── FabricUnauthorizedError      401
    │   ├── FabricPermissionError        403
    │   ├── FabricNotFoundError          404
    │   ├── FabricConflictError          409
    │   ├── FabricThrottledError         429
    │   ├── FabricCapacityError          430
    │   └── FabricServerError            5xx
    ├── FabricOperationError             a long-running operation failed, or did not end in time
    ├── FabricDeployError                items of a folder were not deployed (result)
    └── FabricJobError                   a job run did not succeed (job, link, failure_reason)
        ├── FabricJobFailed              the run failed
        ├── FabricJobCancelled           the run was cancelled
        ├── FabricJobDeduped             nothing ran: another instance was already active
        ├── FabricJobTimeout             the run did not end within ``timeout``
        ├── FabricJobAlreadyRunning      ``if_running="fail"`` and a run is active
        └── FabricJobMayBeRunning        we lost sight of the run, or never learned its id

Every error can be pickled, and none carries a token or a secret. Codes are matched, never messages
(https://learn.microsoft.com/rest/api/fabric/articles/using-fabric-apis: "errorCode is stable").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class FabricError(Exception):
    """Base of every error of this package."""


class FabricInputError(FabricError, ValueError):
    """An argument is wrong. Nothing was sent."""


class FabricConnectionError(FabricInputError):
    """There is no such Airflow connection, or a field of it is missing or wrong."""


class FabricNameError(FabricInputError):
    """A display name fits no workspace or item, or more than one."""


class FabricAuthError(FabricError):
    """Entra did not issue a token.

    :param error_code: Entra's code, such as ``AADSTS7000215``, if it gave one.
    :param is_retriable: asking again within seconds may help (no connection, or an answer of 5xx).
    :param unreachable: the login host gave no answer. A wait goes on then, whatever the reason was.
    """

    def __init__(
        self,
        message: str,
        *,
        error_code: str | None = None,
        is_retriable: bool = False,
        unreachable: bool = False,
    ) -> None:
        super().__init__(message)
        self.error_code = error_code
        self.is_retriable = is_retriable
        self.unreachable = unreachable


class FabricTransportError(FabricError):
    """No answer came from the service.

    :param permanent: repeating it within seconds cannot help: the host name does not resolve, or TLS was refused. A
        wait goes on all the same: it may be an outage of the name server or of a proxy.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class FabricProtocolError(FabricError):
    """The answer is not what the API documents."""


class FabricAmbiguousError(FabricError):
    """A request that must not be sent twice got no clear answer. It may have been accepted.

    :param waited: seconds slept, being throttled, before the attempt that got no clear answer.
    :param accepted: it was accepted for certain; only what came of it is not known.
    :param must_not_repeat: nothing finds out whether it was carried out, so that another attempt of the task might do
        it twice.
    """

    def __init__(
        self, message: str, *, waited: float = 0.0, accepted: bool = False, must_not_repeat: bool = False
    ) -> None:
        super().__init__(message)
        self.waited = waited
        self.accepted = accepted
        self.must_not_repeat = must_not_repeat


class FabricApiError(FabricError):
    """The service refused a request.

    The fields are those of the service's ``ErrorResponse``.

    :param status_code: HTTP status.
    :param error_code: stable code, such as ``InsufficientPrivileges``.
    :param request_id: what Microsoft's support asks for.
    :param is_retriable: the service's own word on it; ``None`` if it said nothing.
    :param more_details: further ``{"errorCode", "message", …}`` entries.
    :param retry_after: seconds the service asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int = 0,
        error_code: str | None = None,
        request_id: str | None = None,
        is_retriable: bool | None = None,
        more_details: list[dict[str, Any]] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.error_code = error_code
        self.request_id = request_id
        self.is_retriable = is_retriable
        self.more_details = more_details or []
        self.retry_after = retry_after


class FabricBadRequestError(FabricApiError):
    """400: the request is malformed, or not possible for this item."""


class FabricUnauthorizedError(FabricApiError):
    """401: the token was refused, also after a new one was fetched."""


class FabricPermissionError(FabricApiError):
    """403: the identity may not do this."""


class FabricNotFoundError(FabricApiError):
    """404: no such workspace, item, job or operation, or not visible to this identity."""


class FabricConflictError(FabricApiError):
    """409: it clashes with what is there."""


class FabricThrottledError(FabricApiError):
    """429: too many calls for this identity."""


class FabricCapacityError(FabricApiError):
    """430: the capacity has no room for another job."""


class FabricServerError(FabricApiError):
    """5xx: the service failed."""


class FabricOperationError(FabricError):
    """A long-running operation failed, or did not end in time.

    :param operation_id: its id.
    :param error_code: the operation's ``error.errorCode``.
    :param request_id: the operation's ``error.requestId``.
    :param is_retriable: the operation's ``error.isRetriable``; ``None`` if the service did not say.
    :param goes_on: it did not end in time, and goes on.
    """

    def __init__(
        self,
        message: str,
        *,
        operation_id: str | None = None,
        error_code: str | None = None,
        request_id: str | None = None,
        is_retriable: bool | None = None,
        goes_on: bool = False,
    ) -> None:
        super().__init__(message)
        self.goes_on = goes_on
        self.operation_id = operation_id
        self.error_code = error_code
        self.request_id = request_id
        self.is_retriable = is_retriable


class FabricDeployError(FabricError):
    """Some items of a folder were not deployed.

    :param result: what came of each item: the operator's return value, a dict of plain values.
    """

    def __init__(self, message: str, *, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = dict(result or {})


class FabricJobError(FabricError):
    """A job run did not succeed.

    :param job: the run as it was last seen: the operators' return value, a dict of plain values.
    :param run_url: link to the run in the Fabric portal.
    """

    def __init__(self, message: str, *, job: Mapping[str, Any] | None = None, run_url: str | None = None) -> None:
        super().__init__(message)
        self.job = dict(job or {})
        self.run_url = run_url

    @property
    def job_instance_id(self) -> str | None:
        """Id of the run, if it is known."""
        return self.job.get("job_instance_id")

    @property
    def failure_reason(self) -> Any:
        """The service's ``failureReason``, if it gave one."""
        return self.job.get("failure_reason")


class FabricJobFailed(FabricJobError):
    """The run failed."""


class FabricJobCancelled(FabricJobError):
    """The run was cancelled."""


class FabricJobDeduped(FabricJobError):
    """Nothing ran, because an instance of the same job type was already active."""


class FabricJobTimeout(FabricJobError):
    """The run did not end within the operator's ``timeout``."""


class FabricJobAlreadyRunning(FabricJobError):
    """A run is active, and ``if_running`` is ``"fail"``."""


class FabricJobMayBeRunning(FabricJobError):
    """A run may be going on of which we do not know the id, or which we lost sight of."""


#: HTTP status → class; other 4xx are :class:`FabricBadRequestError`, 5xx :class:`FabricServerError`.
STATUS_ERRORS: Mapping[int, type[FabricApiError]] = {
    400: FabricBadRequestError,
    401: FabricUnauthorizedError,
    403: FabricPermissionError,
    404: FabricNotFoundError,
    409: FabricConflictError,
    429: FabricThrottledError,
    430: FabricCapacityError,
}

"""Who hears of a failed run, and how: Slack, Teams and mail, from ``on_failure_callback``.

Each message tells what ``describe_fabric_run`` makes of the XCom ``fabric_run``: which task, which item, what became
of the run, why, the activities that failed, and the page of the run. For a form of your own read the XCom's fields with
``fabric_run_of(context)``.

It needs a connection ``fabric_default``, the workspace "Emulator workspace" and in it the pipeline "Partner load"; and
the connections ``alerts_slack`` and ``alerts_teams``, each with the address of an incoming webhook as its password, and
``alerts_mail``: host, port, and, if the server asks for them, login and password.
"""

from __future__ import annotations

import smtplib
from datetime import datetime, timezone
from email.message import EmailMessage
from typing import Any

import requests

try:
    from airflow.sdk import DAG, BaseHook, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task
    from airflow.hooks.base import BaseHook

from airflow_provider_fabric.alerts import describe_fabric_run, fabric_run_of
from airflow_provider_fabric.operators import FabricRunPipelineOperator

WORKSPACE = "Emulator workspace"
ON_CALL = "data-on-call@example.com"


def post(conn_id: str, message: dict[str, Any]) -> None:
    """Send a message to the webhook whose address is a connection's password."""
    url = BaseHook.get_connection(conn_id).password
    requests.post(url, json=message, timeout=10).raise_for_status()


def tell_slack(context: Any) -> None:
    """Post to a Slack channel."""
    post("alerts_slack", {"text": describe_fabric_run(context)})


def tell_teams(context: Any) -> None:
    """Post a card with a button to a Teams channel: a workflow with the trigger *webhook request received*."""
    url = fabric_run_of(context).get("run_url")
    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": line, "wrap": True} for line in describe_fabric_run(context).splitlines()
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Open the run", "url": url}] if url else [],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    post("alerts_teams", {"type": "message", "attachments": [attachment]})


def tell_by_mail(context: Any) -> None:
    """Send a mail."""
    server, text = BaseHook.get_connection("alerts_mail"), describe_fabric_run(context)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "airflow@example.com", ON_CALL, text.splitlines()[0]
    mail.set_content(text)
    with smtplib.SMTP(server.host, server.port or 25, timeout=10) as smtp:
        if server.login:
            smtp.starttls()
            smtp.login(server.login, server.password)
        smtp.send_message(mail)


with DAG(
    dag_id="fabric_alerts",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={"on_failure_callback": [tell_slack, tell_teams, tell_by_mail]},
) as dag:
    run_pipeline = FabricRunPipelineOperator(
        task_id="run_pipeline",
        workspace=WORKSPACE,
        pipeline="Partner load",
        deferrable=True,
        check_interval=2,
    )

    @task(trigger_rule="all_done")
    def keep_record(ti=None) -> str:
        """Write down what became of the run, well or not: other tasks read the same XCom."""
        run = ti.xcom_pull(task_ids="run_pipeline", key="fabric_run")
        return f"{run['item']}: {run['outcome']}"

    run_pipeline >> keep_record()

from dags.load_sales import dag


def test_load_sales_runs_its_pipeline(fabric_emulator, fabric_connection):
    assert dag.test().state == "success"
    assert [job["status"] for job in fabric_emulator.control.jobs()] == ["Completed"]


def test_load_sales_fails_when_its_pipeline_fails(fabric_emulator, fabric_connection):
    fabric_emulator.control.add_job_rule(outcome="Failed")
    assert dag.test().state == "failed"

"""What this repository runs around the product: a real Airflow, the demo, constraints. Never shipped in the wheel."""

"""Apache Airflow provider for Microsoft Fabric Data Factory."""

__version__ = "0.1.0"

"""Apache Airflow provider for Microsoft Fabric Data Factory.

PYTEST_DONT_REWRITE: pytest would warn when Airflow has imported this package before pytest finds its plugin.
"""

__version__ = "0.1.0"

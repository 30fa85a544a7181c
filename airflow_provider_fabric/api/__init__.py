"""The Fabric REST API as flows: no Airflow import; sockets only in transport, msal only in auth."""

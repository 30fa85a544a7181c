# Fabric notebook source

# METADATA ********************

# META {
# META   "kernel_info": {
# META     "name": "synapse_pyspark"
# META   },
# META   "dependencies": {
# META     "lakehouse": {
# META       "default_lakehouse": "4b8f0f2e-5d0c-4a53-9a0e-6a1d1c0e7a01",
# META       "default_lakehouse_name": "Orders",
# META       "default_lakehouse_workspace_id": "00000000-0000-0000-0000-000000000000"
# META     }
# META   }
# META }

# CELL ********************

orders = spark.read.json("Files/orders from orders-dev.example")
orders.write.mode("overwrite").saveAsTable("orders")

"""What production is configured with: settings from the ecosystem's own variables, and its clients.

Belongs here: reading and checking settings (`settings.py`), logins, clients of AWS and Snowflake.
Does not belong here: choosing between the environments (`environment.py`), what is stored there.
"""

"""The portal: pages for people, which show workspaces, items and runs while they happen.

It reads the world and changes nothing, needs no token, and stands outside faults, quotas and the request log. Like the
control endpoints it answers on loopback only, unless control is asked for.
"""

"""The documentation, followed."""

"""Fixtures of the system tests are shared with tests/python."""
pytest_plugins = ["pipeline_fixtures"]

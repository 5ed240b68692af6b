"""The database: tables, state changes, reads. Knows no web framework, no queue, no model."""

"""How the service is: one report, which the pages, `/readyz` and `/metrics` read."""

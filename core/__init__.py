"""What the web front end, the workers and the sweeper all need. Imports nothing else of ours."""

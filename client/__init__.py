"""What talks to the service over HTTP: finds files, sends them, follows their job. Imports `imaging` and `core`."""

"""What is wrong with the service, and the figures behind it."""

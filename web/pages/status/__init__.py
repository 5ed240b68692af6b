"""What is wrong with the service, and its figures."""

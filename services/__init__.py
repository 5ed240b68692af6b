"""The application: what people and programs may ask of the service. Without Flask, Celery and torch."""

"""The application: what people, programs and devices may do with the service, by whatever way they reach it.

Imports db, storage, imaging.media and core; never Flask, Celery or torch, so that a process of any kind can use it.
"""

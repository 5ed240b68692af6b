"""The application: what people, programs and devices may ask of the service, whoever carries the question.

Imports db, storage, imaging.media and core; never Flask, Celery or torch, so that a process of any kind can use it.
"""

"""The Flask front end: pages, API, and the one write path for uploads. Never decodes a pixel, never imports torch."""

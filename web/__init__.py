"""The Flask front end: pages and API over `services`. Never decodes a pixel, never imports torch."""

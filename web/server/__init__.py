"""The front of the web process: an event loop reads requests and writes answers, threads run Flask in between.

A thread is held only while there is work. Whoever sends or reads slowly costs a connection and a bounded buffer, and is
ended when slower than the settings allow. `cli.web` starts it; nothing else of `web` imports it.
"""

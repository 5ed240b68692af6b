"""The server in front of Flask: an event loop reads requests and writes answers, and threads run Flask in between.

A request takes a thread only while there is work. A client that sends or reads slowly takes a connection and a bounded
buffer, and is disconnected when it is slower than the settings allow. `serve` starts it; nothing else in `web` imports
this package.
"""

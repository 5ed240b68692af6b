"""The web processes: their address, and what they do at a time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from core.settings.group import Count, Group, Seconds


class Web(Group):
    """Where the web processes listen, and what a connection may take of them."""

    variable_prefix = "web_"

    host: str = Field("127.0.0.1", description="Address the web process listens on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port; 0 takes a free one.")
    processes: Count = Field(1, description="Web processes, each with an event loop and threads of its own.")
    threads: Count = Field(8, description="Requests that each web process works on at a time; others may be slow.")
    connections: Count = Field(
        2000, description="Connections of each web process; beyond, the ones that wait longest for their client close."
    )
    connections_per_address: Count = Field(
        500, description="Of these, at most so many from one address. Not with trusted proxies, which limit themselves."
    )
    header_timeout_s: Seconds = Field(10.0, description="Longest time for the header of a request to arrive.")
    slow_after_s: Seconds = Field(
        30.0, description="Time over which the speed of a client is averaged; it may do nothing for as long."
    )
    min_bytes_per_s: Count = Field(1000, description="A client that sends or reads more slowly is cut off.")

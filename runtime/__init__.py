"""Serves the models: an engine that runs them, what a request asks of them, and a server for game engines."""

from runtime.sharing import sleep_while_waiting

sleep_while_waiting()

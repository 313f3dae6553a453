"""What the end-to-end tests have in common."""
import socket


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def free_port():
    """One that nobody on loopback listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

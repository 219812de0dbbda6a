"""A TCP relay in front of PostgreSQL that counts octets and round trips, and can be cut.

What a test asserts with it is what a frontend costs the network, whatever the server thinks.
"""

import contextlib
import re
import socket
import threading

# Where a server tells its process id (BackendKeyData), and a client the one whose statement it
# wants to cancel
_PROCESS_ID = re.compile(rb"(?s)(?<=K\0\0\0\x0c)....(?=....Z\0\0\0\x05)|(?<=^\0\0\0\x10\x04\xd2\x16\x2e)....")


def _changed_id(found):
    return bytes([found[0][0] ^ 0x40]) + found[0][1:]


class CountingProxy:
    """Listens on 127.0.0.1 and forwards to a port there; one thread for each direction.

    As a pooler it tells clients process ids of its own, so that they prepare no statement: each
    is sent with its text, in one round trip.
    """

    def __init__(self, target_port):
        self.target_port = target_port
        self.received = 0     # octets from the server to the clients
        self.sent = 0
        self.round_trips = 0  # changes of direction from asking to answering
        self._asking = False
        self._lock = threading.Lock()
        self._pairs = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                self._relay(client)

    def _relay(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:
            client.close()
            return
        self._pairs.append((client, server))
        for source, sink, count in ((client, server, self._count_sent),
                                    (server, client, self._count_received)):
            threading.Thread(target=self._pump, args=(source, sink, count), daemon=True).start()

    def passes(self, data):  # pylint: disable=unused-argument
        """For subclasses: called for everything on its way; False breaks the connection."""
        return True

    def _pump(self, source, sink, count):
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and self.passes(data):
                count(len(data))
                sink.sendall(_PROCESS_ID.sub(_changed_id, data))
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _count_sent(self, size):
        with self._lock:
            self.sent += size
            self._asking = True

    def _count_received(self, size):
        with self._lock:
            self.received += size
            self.round_trips += self._asking
            self._asking = False

    @contextlib.contextmanager
    def measured(self):
        """Yields a dictionary that has the counts of the block after it."""
        before = self.received, self.sent, self.round_trips
        counts = {}
        yield counts
        counts.update(received=self.received - before[0], sent=self.sent - before[1],
                      round_trips=self.round_trips - before[2])

    def cut(self):
        """Break all connections, as a firewall or a pooler may; new ones work."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.close()
        self.cut()

"""A client that does nothing but change its keys: TLS messages that are never a request.

    python3 tls_key_update_flood.py PORT SECONDS

OpenSSL is called directly, because Python's ssl can't ask for new keys. Prints how often it did.
"""

import ctypes
import ctypes.util
import socket
import sys
import time

library = ctypes.CDLL(ctypes.util.find_library("ssl"))
for name, result, *arguments in [
    ("TLS_client_method", ctypes.c_void_p),
    ("SSL_CTX_new", ctypes.c_void_p, ctypes.c_void_p),
    ("SSL_new", ctypes.c_void_p, ctypes.c_void_p),
    ("SSL_set_fd", ctypes.c_int, ctypes.c_void_p, ctypes.c_int),
    ("SSL_connect", ctypes.c_int, ctypes.c_void_p),
    ("SSL_key_update", ctypes.c_int, ctypes.c_void_p, ctypes.c_int),
    ("SSL_do_handshake", ctypes.c_int, ctypes.c_void_p),
]:
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments

wire = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
end = time.monotonic() + float(sys.argv[2])
tls = library.SSL_new(library.SSL_CTX_new(library.TLS_client_method()))
library.SSL_set_fd(tls, wire.fileno())
assert library.SSL_connect(tls) == 1
changes = 0
while time.monotonic() < end:
    for _ in range(100):
        assert library.SSL_key_update(tls, 0) == 1 and library.SSL_do_handshake(tls) == 1
    changes += 100
print(changes)

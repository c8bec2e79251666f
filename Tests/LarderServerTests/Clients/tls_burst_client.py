# As many bytes as the daemon takes at once and a small record behind them, all there before the daemon reads the first: what OpenSSL takes
# from the socket ahead of time must not be forgotten in it.
import os
import signal
import socket
import ssl
import sys

port, daemon, fills = (int(word) for word in sys.argv[1:])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(incoming, outgoing)
wire = socket.create_connection(('127.0.0.1', port), timeout=30)


def take(step):
    while True:
        try:
            result = step()
            wire.sendall(outgoing.read())
            return result
        except ssl.SSLWantReadError:
            wire.sendall(outgoing.read())
            incoming.write(wire.recv(1 << 16))


take(tls.do_handshake)
tls.write(b'mn\r\n')
assert take(lambda: tls.read(100)) == b'MN\r\n'
# 64 KiB, cut so that the last read from the socket brings more than the record it was for.
for kilobytes in [8, 16, 16, 16, 8] * fills:
    assert tls.write(b'mn\r\n' * 256 * kilobytes) == kilobytes << 10
tls.write(b'mn\r\n')
burst = outgoing.read()
os.kill(daemon, signal.SIGSTOP)
try:
    wire.setblocking(False)
    sent = wire.send(burst)
finally:
    os.kill(daemon, signal.SIGCONT)
wire.settimeout(30)
wire.sendall(burst[sent:])
wanted, got = (fills << 16) + 4, 0
while got < wanted:
    got += len(take(lambda: tls.read(1 << 16)))
assert got == wanted
print('ok')

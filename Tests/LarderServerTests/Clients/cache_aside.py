#!/usr/bin/env python3
"""Cache-aside without a stampede: of many clients that miss a key at the same moment one loads it, the others
wait a little or take the old value. Needs nothing but Python; try it: cache_aside.py 127.0.0.1 11211"""
import socket
import sys
import threading
import time


class Cache:
    """One connection, for one thread."""

    def __init__(self, host, port):
        self.place = (host, port)
        self.socket = None

    def ask(self, command, value=None):
        """Sends a meta command; returns the answer's first word, its flags and the value, if one came."""
        if self.socket is None:
            self.socket = socket.create_connection(self.place, timeout=1)
            self.answers = self.socket.makefile("rb")
        try:
            self.socket.sendall(command + b"\r\n" + (b"" if value is None else value + b"\r\n"))
            line = self.answers.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError("the cache has closed the connection")
            words = line.split()
            if words[0] != b"VA":
                return words[0], words[1:], None
            return b"VA", words[2:], self.answers.read(int(words[1]) + 2)[:-2]
        except OSError:
            self.socket.close()  # Whatever was on its way must not be taken for the next answer.
            self.socket = None
            raise


def fetch(cache, key, ttl, load):
    """The value of `key` (bytes, neither blanks nor control characters, 250 at most), from the cache or else
    from `load`, which returns bytes."""
    version, value = look(cache, key)
    if value is not None:
        return value
    try:
        value = load()
    except BaseException:
        if version:
            tell(cache, b"md %s C%s" % (key, version))  # Let another one try.
        raise
    if version:
        # C: only if nobody has changed or invalidated the key since.
        tell(cache, b"ms %s %d T%d C%s" % (key, len(value), ttl, version), value)
    return value


def look(cache, key):
    """The value, or the version to store it with if loading it is ours. Neither: another client that loads
    takes too long, or the cache is away, which makes things slow and not wrong."""
    try:
        for _ in range(40):
            # v: the value, c: its version. N30: if it is missing, whoever asks first wins and has 30 s to
            # load it. R10: in the last 10 s of its life one client wins and loads it anew, before a miss.
            _, flags, value = cache.ask(b"mg %s v c N30 R10" % key)
            if b"W" in flags:
                return next(f[1:] for f in flags if f.startswith(b"c")), None
            if value:
                return None, value  # Perhaps with Z: another client is loading a newer one.
            time.sleep(0.05)  # Z and no value: another client is loading the first one.
    except OSError:
        pass
    return None, None


def tell(cache, command, value=None):
    try:
        cache.ask(command, value)
    except OSError:
        pass


def invalidate(cache, key):
    """After a change of the data. I: the old value stays for 30 s, as stale; who asks next wins and loads."""
    cache.ask(b"md %s I T30" % key)


def demonstrate(host, port):
    loads = []

    def load():
        loads.append(None)
        time.sleep(0.3)  # A slow database.
        return b"value %d" % len(loads)

    def crowd(count):
        """So many clients at once; what they got, and how long the slowest took."""
        got, threads, start = [], [], time.monotonic()
        for _ in range(count):
            work = lambda: got.append(fetch(Cache(host, port), b"example:py", 60, load))
            threads.append(threading.Thread(target=work))
            threads[-1].start()
        for thread in threads:
            thread.join()
        return got, time.monotonic() - start

    cache = Cache(host, port)
    cache.ask(b"md example:py")
    got, _ = crowd(20)
    print("20 clients, key missing: %d load(s), all got %s" % (len(loads), set(got)))
    assert len(loads) == 1 and set(got) == {b"value 1"}
    invalidate(cache, b"example:py")
    got, _ = crowd(20)
    print("20 clients, key stale: %d load(s), %d got the old one" % (len(loads) - 1, got.count(b"value 1")))
    assert len(loads) == 2 and got.count(b"value 2") >= 1
    assert fetch(cache, b"example:py", 60, load) == b"value 2"
    cache.ask(b"ms example:py 3 T5", b"old")  # Nearly expired: one client loads it anew.
    got, _ = crowd(20)
    print("20 clients, key expires soon: %d load(s), %d got the old" % (len(loads) - 2, got.count(b"old")))
    assert len(loads) == 3 and got.count(b"value 3") >= 1
    away = Cache(host, 1)
    assert fetch(away, b"example:py", 60, load) == b"value 4"
    print("ok")


if __name__ == "__main__":
    demonstrate(sys.argv[1], int(sys.argv[2]))

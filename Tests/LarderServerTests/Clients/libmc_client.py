# libmc, the C++ client with a Python face.
import sys
import libmc

client = libmc.Client([sys.argv[1] + ':' + sys.argv[2]])
client.config(libmc.MC_POLL_TIMEOUT, 10000)
assert client.get('a') is None and client.set('a', 'b', 100) and client.get('a') == 'b'
assert not client.add('a', 1) and client.replace('a', 'c')
value, cas = client.gets('a')
assert client.cas('a', 'd', 100, cas) and not client.cas('a', 'e', 100, cas)
assert client.set('n', 5) and client.incr('n', 7) == 12 and client.decr('n', 2) == 10 and client.touch('n', 100)
assert client.delete('n')
many = {'key%d' % i: 'value%d' % i for i in range(1000)}
assert client.set_multi(many) and client.get_multi(list(many)) == many and client.delete_multi(list(many))
big = 'v' * 900000
assert client.set('big', big) and client.get('big') == big
assert client.set('s', b'd') and client.append('s', b'x') and client.prepend('s', b'y') and client.get('s') == b'ydx'
assert client.stats() and client.version()
client.quit()
assert client.get('s') == b'ydx', 'after a reconnect'
print('ok')

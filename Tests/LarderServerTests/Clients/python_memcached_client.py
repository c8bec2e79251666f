# python-memcached, the old pure-Python client.
import sys
import memcache

client = memcache.Client([sys.argv[1] + ':' + sys.argv[2]], cache_cas=True, socket_timeout=10)
assert client.flush_all() is None
assert client.get('a') is None and client.set('a', [1, 'x'], time=100) and client.get('a') == [1, 'x']
assert not client.add('a', 1) and client.replace('a', 'b')
assert client.gets('a') == 'b' and client.cas('a', 'c') and client.get('a') == 'c'
assert client.set('n', '5') and client.incr('n', 7) == 12 and client.decr('n', 20) == 0
assert client.touch('n', 100) and client.delete('n')
assert client.set('s', 'b') and client.append('s', 'c') and client.prepend('s', 'a') and client.get('s') == 'abc'
many = {'key%d' % i: str(i) for i in range(1000)}
assert client.set_multi(many) == [] and client.get_multi(list(many)) == many
assert client.delete_multi(list(many)) and client.get_multi(list(many)) == {}
big = 'v' * 900000
assert client.set('big', big) and client.get('big') == big
assert client.get_stats()[0][1]['version'] and client.get_slab_stats() and client.get_stats('items') is not None
client.disconnect_all()
assert client.get('s') == 'abc'
print('ok')

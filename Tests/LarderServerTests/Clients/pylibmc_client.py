# pylibmc (libmemcached): behaviours people switch on, pools, binary-safe values.
import sys
import pylibmc

client = pylibmc.Client([sys.argv[1] + ':' + sys.argv[2]], binary=False,
                        behaviors={'cas': True, 'tcp_nodelay': True, 'no_block': False})
client.flush_all()
assert client.get('a') is None
assert client.set('a', {'x': 1}, time=100) and client.get('a') == {'x': 1}
assert not client.add('a', 1) and client.replace('a', b'\0\r\n\xff') and client.get('a') == b'\0\r\n\xff'
value, cas = client.gets('a')
assert client.cas('a', 'new', cas)
assert not client.cas('a', 'newer', cas)
assert client.set('n', 5) and client.incr('n', 7) == 12 and client.decr('n', 2) == 10
assert client.touch('n', 100)
assert client.delete('n') and not client.delete('n')
client.set('s', 'b')
assert client.append('s', 'c') and client.prepend('s', 'a') and client.get('s') == 'abc'
many = {'key%d' % i: i for i in range(1000)}
assert client.set_multi(many) == [] and client.get_multi(list(many)) == many
assert client.delete_multi(list(many)) and client.get_multi(list(many)) == {}
big = 'v' * 900000
assert client.set('big', big) and client.get('big') == big
assert client.set('packed', big, min_compress_len=1000) and client.get('packed') == big
assert client.get_stats()[0][1]['curr_items']
quiet = pylibmc.Client([sys.argv[1] + ':' + sys.argv[2]], behaviors={'no_block': True, 'buffer_requests': False})
for i in range(200):
    quiet.set('quiet%d' % i, i)
assert quiet.get('quiet199') == 199
pool = pylibmc.ClientPool(client, 4)
with pool.reserve() as one:
    assert one.get('s') == 'abc'
client.disconnect_all()
assert client.get('s') == 'abc'
print('ok')

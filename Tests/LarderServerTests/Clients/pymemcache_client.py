# pymemcache: plain, pooled and hashed clients at their ordinary work.
import sys
import threading
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache import serde

address = (sys.argv[1], int(sys.argv[2]))
for client in (Client(address, serde=serde.pickle_serde, timeout=10),
               PooledClient(address, max_pool_size=4, serde=serde.pickle_serde, timeout=10),
               HashClient([address], serde=serde.pickle_serde, timeout=10)):
    client.flush_all()
    assert client.get('a') is None
    assert client.set('a', {'x': [1, 2]}, expire=100, noreply=False)
    assert client.get('a') == {'x': [1, 2]}
    assert client.add('a', 1, noreply=False) is False
    assert client.replace('a', 'b', noreply=False)
    value, cas = client.gets('a')
    assert value == 'b'
    assert client.cas('a', 'c', cas, noreply=False) is True
    assert client.cas('a', 'd', cas, noreply=False) is False
    assert client.cas('none', 'd', cas, noreply=False) is None
    client.set('n', 10, noreply=False)
    assert client.incr('n', 5, noreply=False) == 15
    assert client.decr('n', 20, noreply=False) == 0
    assert client.touch('n', 100, noreply=False)
    assert client.delete('n', noreply=False) and not client.delete('n', noreply=False)
    many = {'key%d' % i: 'value%d' % i for i in range(1000)}
    assert client.set_many(many, noreply=False) == []
    assert client.get_many(list(many) + ['missing']) == many
    assert len(client.gets_many(list(many)[:10])) == 10
    assert client.delete_many(list(many), noreply=False)
    assert client.get_many(list(many)) == {}
    big = 'v' * 900000
    assert client.set('big', big, noreply=False) and client.get('big') == big
    client.close()
    assert client.get('big') == big, 'after a reconnect'

plain = Client(address, timeout=10)
plain.set('s', b'mid')
plain.append('s', b'>', noreply=False)
plain.prepend('s', b'<', noreply=False)
assert plain.get('s') == b'<mid>'
assert b'curr_items' in plain.stats() and plain.stats('settings')[b'maxconns'] == 1024
assert plain.version().startswith(b'1.')
assert plain.cache_memlimit(64)
pool = PooledClient(address, max_pool_size=8, timeout=10)
faults = []
def work(number):
    for i in range(300):
        key = 'thread%d-%d' % (number, i)
        pool.set(key, str(i).encode(), noreply=False)
        if pool.get(key) != str(i).encode():
            faults.append(key)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
assert not faults, faults
print('ok')

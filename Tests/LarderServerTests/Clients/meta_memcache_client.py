# meta-memcache: the meta commands, leases and stale-while-recache included.
import sys
import threading
from meta_memcache import (CacheClient, Key, LeasePolicy, RecachePolicy, ServerAddress, SetMode, StalePolicy,
                           connection_pool_factory_builder)

client = CacheClient.cache_client_from_servers(
    servers=[ServerAddress(sys.argv[1], int(sys.argv[2]))],
    connection_pool_factory_fn=connection_pool_factory_builder(recv_timeout=10))
assert client.get('a') is None
assert client.set('a', {'x': 1}, ttl=100) and client.get('a') == {'x': 1}
assert not client.set('a', 1, ttl=100, set_mode=SetMode.ADD)
value, cas = client.get_cas('a')
assert client.set('a', 'b', ttl=100, cas_token=cas) and not client.set('a', 'c', ttl=100, cas_token=cas)
assert client.touch('a', ttl=200) and client.get('a', touch_ttl=300) == 'b'
assert client.delta_initialize_and_get('n', delta=1, initial_value=10, initial_ttl=100) == 10
assert client.delta_and_get('n', delta=5) == 15 and client.delta_and_get('n', delta=-3) == 12
unicode_key = Key('schl\u00fcssel \u2603')
assert client.set(unicode_key, 'binary key', ttl=100) and client.get(unicode_key) == 'binary key'
for i in range(1000):
    client.set('key%d' % i, 'value%d' % i, ttl=100, no_reply=True)
found = client.multi_get(['key%d' % i for i in range(1000)] + ['missing'])
assert sum(v is not None for v in found.values()) == 1000
big = 'v' * 900000
assert client.set('big', big, ttl=100) and client.get('big') == big
assert client.delete('a') and client.get('a') is None

# Invalidate with a grace time: one is told to make it anew, the others get the old value meanwhile.
client.set('stale', 'old', ttl=100)
client.invalidate('stale', stale_policy=StalePolicy(mark_stale_on_deletion_ttl=30))
recache = RecachePolicy(ttl=30)
answers = [client.get('stale', recache_policy=recache) for _ in range(10)]
assert answers.count(None) == 1 and answers.count('old') == 9, answers

# A lease: of many that miss at once exactly one is sent to make the value.
made = []
def fetch():
    value = client.get_or_lease('leased', lease_policy=LeasePolicy(ttl=30, miss_retries=40, miss_retry_wait=0.05))
    if value is None:
        made.append(1)
        client.set('leased', 'fresh', ttl=100)
    else:
        assert value == 'fresh'
threads = [threading.Thread(target=fetch) for _ in range(20)]
[t.start() for t in threads]
[t.join() for t in threads]
assert len(made) == 1, made
print('ok')

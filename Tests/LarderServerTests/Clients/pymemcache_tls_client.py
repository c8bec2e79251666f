# pymemcache over TLS, the server's certificate checked.
import ssl
import sys
from pymemcache.client.base import Client, PooledClient

context = ssl.create_default_context(cafile=sys.argv[2])
context.check_hostname = False
address = ('127.0.0.1', int(sys.argv[1]))
for client in (Client(address, tls_context=context, timeout=10),
               PooledClient(address, max_pool_size=2, tls_context=context, timeout=10)):
    client.flush_all()
    assert client.set('a', b'x' * 100000, noreply=False)
    assert client.get('a') == b'x' * 100000
    many = {'key%d' % i: b'value%d' % i for i in range(1000)}
    assert client.set_many(many, noreply=False) == []
    assert client.get_many(list(many) + ['missing']) == many
    client.close()
print('ok')

# Django's cache framework over pymemcache and over pylibmc.
import sys
from django.conf import settings

where = sys.argv[1] + ':' + sys.argv[2]
settings.configure(CACHES={
    'default': {'BACKEND': 'django.core.cache.backends.memcached.PyMemcacheCache', 'LOCATION': where},
    'second': {'BACKEND': 'django.core.cache.backends.memcached.PyLibMCCache', 'LOCATION': where}})
from django.core.cache import caches

for name in ('default', 'second'):
    cache = caches[name]
    cache.clear()
    cache.set('a', {'x': 1}, timeout=100)
    assert cache.get('a') == {'x': 1} and cache.get('b', 'none') == 'none'
    assert not cache.add('a', 1) and cache.add('b', 1)
    assert cache.get_or_set('c', lambda: 7) == 7 and 'c' in cache
    cache.set_many({'k%d' % i: i for i in range(1000)})
    assert len(cache.get_many(['k%d' % i for i in range(1000)])) == 1000
    cache.delete_many(['k%d' % i for i in range(500)])
    assert len(cache.get_many(['k%d' % i for i in range(1000)])) == 500
    cache.set('n', 1)
    assert cache.incr('n', 4) == 5 and cache.decr('n') == 4
    assert cache.touch('n', 100) and not cache.touch('nothing', 100)
    cache.set('gone', 1, timeout=0)
    assert cache.get('gone') is None
    cache.set('for ever'.replace(' ', '_'), 1, timeout=None)
    cache.set('big', 'v' * 900000)
    assert len(cache.get('big')) == 900000
    assert cache.delete('a') and not cache.delete('a')
print('ok')

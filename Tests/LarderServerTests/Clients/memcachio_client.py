# memcachio over asyncio.
import asyncio
import sys
import memcachio


async def main():
    client = memcachio.Client((sys.argv[1], int(sys.argv[2])))
    await client.flushall()
    assert await client.set('a', 1, expiry=100)
    item = (await client.gets('a'))[b'a']
    assert item.value == b'1'
    assert await client.cas('a', 2, item.cas) and not await client.cas('a', 3, item.cas)
    assert await client.incr('a', 5) == 7 and await client.decr('a', 4) == 3
    assert await client.touch('a', 100) and not await client.add('a', 1)
    assert await client.append('a', '0') and await client.prepend('a', '1')
    await asyncio.gather(*[client.set('key%d' % i, 'value%d' % i) for i in range(1000)])
    found = await client.get(*['key%d' % i for i in range(1000)])
    assert len(found) == 1000 and found[b'key7'].value == b'value7'
    await client.set('big', 'v' * 900000)
    assert len((await client.get('big'))[b'big'].value) == 900000
    assert await client.delete('a') and not await client.delete('a')
    assert await client.stats() and await client.version()

asyncio.run(main())
print('ok')

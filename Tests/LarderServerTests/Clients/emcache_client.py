# emcache over asyncio.
import asyncio
import sys
import emcache


async def main():
    client = await emcache.create_client([emcache.MemcachedHostAddress(sys.argv[1], int(sys.argv[2]))])
    await client.set(b'a', b'1', exptime=100)
    item = await client.gets(b'a')
    assert item.value == b'1'
    await client.cas(b'a', b'2', item.cas)
    assert (await client.get(b'a')).value == b'2'
    assert await client.increment(b'a', 3) == 5 and await client.decrement(b'a', 1) == 4
    await client.touch(b'a', 100)
    await client.append(b'a', b'x')
    await client.prepend(b'a', b'y')
    await asyncio.gather(*[client.set(b'key%d' % i, b'value%d' % i, flags=i) for i in range(1000)])
    found = await client.get_many([b'key%d' % i for i in range(1000)])
    assert len(found) == 1000 and found[b'key7'].value == b'value7'
    await client.set(b'big', b'v' * 900000)
    assert len((await client.get(b'big')).value) == 900000
    await client.delete(b'a')
    assert await client.get(b'a') is None
    await client.close()

asyncio.run(main())
print('ok')

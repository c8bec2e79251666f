# aiomcache over asyncio.
import asyncio
import sys
import aiomcache


async def main():
    client = aiomcache.Client(sys.argv[1], int(sys.argv[2]), pool_size=4)
    await client.flush_all()
    assert await client.get(b'a') is None and await client.set(b'a', b'1', exptime=100)
    assert await client.get(b'a') == b'1' and not await client.add(b'a', b'2')
    value, cas = await client.gets(b'a')
    assert await client.cas(b'a', b'5', cas) and not await client.cas(b'a', b'6', cas)
    assert await client.incr(b'a', 10) == 15 and await client.decr(b'a', 5) == 10
    assert await client.touch(b'a', 100) and await client.append(b'a', b'0') and await client.prepend(b'a', b'1')
    assert await client.get(b'a') == b'1100' or (await client.get(b'a')).strip() == b'1100'
    await asyncio.gather(*[client.set(b'key%d' % i, b'value%d' % i) for i in range(1000)])
    values = await client.multi_get(*[b'key%d' % i for i in range(1000)])
    assert list(values) == [b'value%d' % i for i in range(1000)]
    big = b'v' * 900000
    assert await client.set(b'big', big) and await client.get(b'big') == big
    assert (await client.stats())[b'curr_items'] and (await client.version()).startswith(b'1.')
    assert await client.delete(b'a') and not await client.delete(b'a')
    await client.close()

asyncio.run(main())
print('ok')

<?php
// php-memcached over libmemcached.
function must($condition, $what) {
    if (!$condition) { fwrite(STDERR, "failed: $what\n"); exit(1); }
}
$client = new Memcached();
$client->setOption(Memcached::OPT_COMPRESSION, false);
$client->addServer($argv[1], (int)$argv[2]);
must($client->flush(), 'flush');
must($client->get('a') === false && $client->getResultCode() === Memcached::RES_NOTFOUND, 'a miss');
must($client->set('a', ['x' => 1], 100) && $client->get('a') === ['x' => 1], 'set and get');
must(!$client->add('a', 1) && $client->replace('a', 'b'), 'add and replace');
$extended = $client->get('a', null, Memcached::GET_EXTENDED);
must($client->cas($extended['cas'], 'a', 'c') && !$client->cas($extended['cas'], 'a', 'd'), 'cas');
must($client->set('n', 5) && $client->increment('n', 7) === 12 && $client->decrement('n', 20) === 0, 'counters');
must($client->touch('n', 100) && $client->delete('n') && !$client->delete('n'), 'touch and delete');
must($client->set('s', 'b') && $client->append('s', 'c') && $client->prepend('s', 'a') && $client->get('s') === 'abc', 'append');
$many = [];
for ($i = 0; $i < 1000; $i++) { $many["key$i"] = "value$i"; }
must($client->setMulti($many), 'setMulti');
must($client->getMulti(array_keys($many)) == $many, 'getMulti');
must(count(array_filter($client->deleteMulti(array_keys($many)), fn($r) => $r === true)) === 1000, 'deleteMulti');
$big = str_repeat('v', 900000);
must($client->set('big', $big) && $client->get('big') === $big, 'a big value');
must(count($client->getStats()) === 1 && count($client->getVersion()) === 1, 'stats');
$client->quit();
must($client->get('s') === 'abc', 'reconnect');
echo "ok\n";

<?php
// Cache-aside without a stampede: of many clients that miss a key at the same moment one loads it, the others
// wait a little or take the old value. Needs no extension; try it: php cache_aside.php 127.0.0.1 11211

final class Cache
{
    private $stream = null;

    public function __construct(private string $host, private int $port)
    {
    }

    /** Sends a meta command; returns the first word of the answer, its flags and the value, if one came. */
    public function ask(string $command, ?string $value = null): array
    {
        $this->stream ??= @stream_socket_client("tcp://$this->host:$this->port", $code, $fault, 1.0);
        if (!$this->stream) {
            $this->stream = null;
            throw new RuntimeException("no cache: $fault");
        }
        stream_set_timeout($this->stream, 1);
        $sent = @fwrite($this->stream, "$command\r\n" . ($value === null ? '' : "$value\r\n"));
        $line = $sent ? fgets($this->stream) : false;
        if ($line === false || !str_ends_with($line, "\n")) {
            fclose($this->stream); // Whatever was on its way must not be taken for the next answer.
            $this->stream = null;
            throw new RuntimeException('the cache does not answer');
        }
        $words = explode(' ', rtrim($line));
        if ($words[0] !== 'VA') {
            return [$words[0], array_slice($words, 1), null];
        }
        $value = stream_get_contents($this->stream, (int) $words[1] + 2);
        return ['VA', array_slice($words, 2), substr($value, 0, -2)];
    }
}

/** The value of $key (no blanks, no control characters, 250 bytes at most), from the cache or $load. */
function fetch(Cache $cache, string $key, int $ttl, callable $load): string
{
    [$version, $value] = look($cache, $key);
    if ($value !== null) {
        return $value;
    }
    try {
        $value = $load();
    } catch (Throwable $trouble) {
        if ($version !== null) {
            tell($cache, "md $key C$version"); // Let another one try.
        }
        throw $trouble;
    }
    if ($version !== null) {
        // C: only if nobody has changed or invalidated the key since.
        tell($cache, 'ms ' . $key . ' ' . strlen($value) . " T$ttl C$version", $value);
    }
    return $value;
}

/** The version to store it with if loading it is ours, the value if there is one. Neither: another client
 *  that loads takes too long, or the cache is away, which makes things slow and not wrong. */
function look(Cache $cache, string $key): array
{
    try {
        for ($try = 0; $try < 40; $try++) {
            // v: the value, c: its version. N30: if it is missing, whoever asks first wins and has 30 s to
            // load it. R10: in the last 10 s of its life one client wins and loads it anew, before a miss.
            [, $flags, $value] = $cache->ask("mg $key v c N30 R10");
            if (in_array('W', $flags, true)) {
                return [substr(current(preg_grep('/^c/', $flags)), 1), null];
            }
            if ($value !== null && $value !== '') {
                return [null, $value]; // Perhaps with Z: another client is loading a newer one.
            }
            usleep(50_000); // Z and no value: another client is loading the first one.
        }
    } catch (RuntimeException) {
    }
    return [null, null];
}

function tell(Cache $cache, string $command, ?string $value = null): void
{
    try {
        $cache->ask($command, $value);
    } catch (RuntimeException) {
    }
}

/** After a change of the data. I: the old value stays for 30 s, as stale; the next client wins and loads. */
function invalidate(Cache $cache, string $key): void
{
    $cache->ask("md $key I T30");
}

/** So many clients at once, each a process; how many of them loaded, and what they got. */
function crowd(int $count, string $host, int $port, string $fresh): array
{
    $files = [];
    for ($i = 0; $i < $count; $i++) {
        $files[$i] = tempnam(sys_get_temp_dir(), 'larder');
        if (pcntl_fork() === 0) {
            $loads = 0;
            $got = fetch(new Cache($host, $port), 'example:php', 60, function () use (&$loads, $fresh) {
                $loads++;
                usleep(300_000); // A slow database.
                return $fresh;
            });
            file_put_contents($files[$i], "$loads $got");
            exit(0);
        }
    }
    while (pcntl_wait($status) > 0);
    $got = array_map('file_get_contents', $files);
    array_map('unlink', $files);
    $loads = array_sum(array_map(fn ($line) => (int) $line, $got));
    return [$loads, array_map(fn ($line) => substr($line, 2), $got)];
}

function check(bool $right): void
{
    $right or exit("wrong\n");
}

[, $host, $port] = $argv;
$cache = new Cache($host, (int) $port);
$cache->ask('md example:php');
[$loads, $got] = crowd(10, $host, (int) $port, 'value 1');
echo "10 clients, key missing: $loads load(s), all got ", implode(', ', array_unique($got)), "\n";
check($loads === 1 && array_unique($got) === ['value 1']);
invalidate($cache, 'example:php');
[$loads, $got] = crowd(10, $host, (int) $port, 'value 2');
echo "10 clients, key stale: $loads load(s), ", count(array_keys($got, 'value 1')), " got the old value\n";
check($loads === 1 && in_array('value 2', $got, true));
check(fetch(new Cache($host, 1), 'example:php', 60, fn () => 'loaded') === 'loaded');
echo "ok\n";

# Perl's Cache::Memcached.
use strict;
use warnings;
use Cache::Memcached;

my ($host, $port) = @ARGV;
my $client = Cache::Memcached->new({ servers => ["$host:$port"], select_timeout => 10 });
sub must { my ($condition, $what) = @_; die "failed: $what\n" unless $condition }
must($client->flush_all, 'flush_all');
must(!defined $client->get('a'), 'a miss');
must($client->set('a', { x => 1 }, 100) && $client->get('a')->{x} == 1, 'set and get');
must(!$client->add('a', 1) && $client->replace('a', 'b') && $client->get('a') eq 'b', 'add and replace');
must($client->set('n', 5) && $client->incr('n', 7) == 12 && $client->decr('n', 2) == 10, 'counters');
must($client->delete('n') && !$client->delete('n'), 'delete');
must($client->set('s', 'b') && $client->append('s', 'c') && $client->prepend('s', 'a') && $client->get('s') eq 'abc', 'append');
my @keys = map { "key$_" } 1 .. 1000;
$client->set($_, "value of $_") for @keys;
my $found = $client->get_multi(@keys);
must(scalar(keys %$found) == 1000 && $found->{key7} eq 'value of key7', 'get_multi');
my $big = 'v' x 900000;
must($client->set('big', $big) && $client->get('big') eq $big, 'a big value');
must($client->stats('misc')->{hosts}{"$host:$port"}, 'stats');
$client->disconnect_all;
must($client->get('s') eq 'abc', 'reconnect');
print "ok\n";

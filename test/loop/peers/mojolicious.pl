# SPDX-License-Identifier: MIT
# A client of Mojolicious, Perl's web framework. See test_peers.py.
use Mojo::Base -strict;
use Mojo::IOLoop;
use Mojo::UserAgent;
use Mojo::Util 'encode';

my @messages = (
    [text => encode 'UTF-8', "gr\x{fc}\x{df} dich \x{4e16}\x{754c}"],
    [text => ''],
    [binary => join '', map chr, 0 .. 255],
    [binary => 'x' x 65535],
);
my $sent = 0;
my $ua = Mojo::UserAgent->new(inactivity_timeout => 30);
$ua->websocket($ARGV[0] => {'Sec-WebSocket-Extensions' => 'permessage-deflate'} => sub {
    my ($ua, $tx) = @_;
    return say('refused') && Mojo::IOLoop->stop unless $tx->is_websocket;
    say $tx->compressed ? 'deflate' : 'plain';
    $tx->on(finish => sub { say "closed $_[1]"; Mojo::IOLoop->stop });
    my $send = sub { $tx->send({$messages[$sent][0] => $messages[$sent][1]}) };
    for my $kind ('text', 'binary') {
        $tx->on($kind => sub {
            my ($wanted, $payload) = @{$messages[$sent++]};
            say $wanted eq $kind && $_[1] eq $payload ? 'same' : 'different';
            $sent < @messages ? $send->() : $tx->finish(3001, 'mine');
        });
    }
    $send->();
});
Mojo::IOLoop->start;

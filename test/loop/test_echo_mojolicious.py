#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_echo_mojolicious.py - a real peer: Mojolicious, Perl's web framework, on /echo."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from echo import Echo, Tap  # noqa: E402

# Prints what comes back: the length and a checksum of each message, then the close code.
CLIENT = r"""
use Mojo::UserAgent; use Mojo::IOLoop; use Mojo::Util 'sha1_sum', 'encode'; use utf8;
my ($url) = @ARGV;
my @messages = ({text => encode 'UTF-8', 'grüß dich 世界'}, {text => ''},
                {binary => join '', map chr, 0 .. 255}, {binary => 'x' x 65535});
my ($sent, $ua) = (0, Mojo::UserAgent->new(inactivity_timeout => 30));
$ua->websocket($url => sub {
    my ($ua, $tx) = @_;
    return print("refused\n") && Mojo::IOLoop->stop unless $tx->is_websocket;
    $tx->on(finish => sub { print "closed $_[1]\n"; Mojo::IOLoop->stop });
    $tx->on($_ => sub {
        my ($tx, $bytes) = @_;
        my $wanted = (values %{$messages[$sent++]})[0];
        print $bytes eq $wanted ? "same\n" : "different\n";
        $sent < @messages ? $tx->send($messages[$sent]) : $tx->finish(3001, 'mine');
    }) for 'text', 'binary';
    $tx->send($messages[0]);
});
Mojo::IOLoop->start;
"""


def main():
    if subprocess.run(["perl", "-MMojolicious", "-e", "1"], stderr=subprocess.DEVNULL,
                      check=False).returncode:
        print("1..0 # SKIP libmojolicious-perl is not installed")
        return
    t = Tap()
    with Echo() as echo:
        done = subprocess.run(["perl", "-e", CLIENT, f"{echo.url}/echo"], text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        t.equal(done.stdout.splitlines(), ["same"] * 4 + ["closed 3001"],
                "messages_come_back_and_the_close_is_echoed")
    t.end()


main()

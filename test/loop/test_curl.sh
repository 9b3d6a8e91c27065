#!/bin/bash
# SPDX-License-Identifier: MIT
# loop/test_curl.sh - a real HTTP client: the answers to requests that are not a WebSocket
# handshake, or a bad one. A good handshake ends after the 101: curl does not speak WebSocket here.
set -u

command -v curl >/dev/null || { echo "1..0 # SKIP curl is not installed"; exit 0; }
echo=${WSPOOL_ECHO:-build/examples/echo}
dir=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$dir"' EXIT

: >"$dir/line"
"$echo" ${WSPOOL_IO:+--io "$WSPOOL_IO"} --port 0 >>"$dir/line" &
server=$!
for _ in $(seq 600); do
    grep -q . "$dir/line" && break
    sleep 0.1
done
url=$(sed -n 's|^listening on ws://|http://|p' "$dir/line")

count=0
failed=0
ok() { # STATUS NAME
    count=$((count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $count - $2"
    else
        failed=1
        echo "not ok $count - $2"
        sed 's/^/# /' "$dir/head" "$dir/body"
        echo
    fi
}

# get CURL-ARGUMENTS...: writes the answer's head and body to files. A 101 has no end, so curl is
# stopped when the head has come.
get() {
    : >"$dir/head"
    : >"$dir/body"
    curl --silent --max-time 60 --dump-header "$dir/head" --output "$dir/body" "$@" &
    local curl=$!
    for _ in $(seq 600); do
        grep -q '^HTTP/1.1 101' "$dir/head" && grep -q $'^\r$' "$dir/head" && break
        kill -0 $curl 2>/dev/null || break
        sleep 0.05
    done
    grep -q '^HTTP/1.1 101' "$dir/head" && kill $curl 2>/dev/null
    wait $curl 2>/dev/null
}

# answers STATUS WORD NAME
answers() {
    grep -q "^HTTP/1.1 $1 " "$dir/head" &&
        grep -qix $'content-type: application/json\r' "$dir/head" &&
        [ "$(tr -d ' \r\n' <"$dir/body")" = "{\"error\":\"$2\"}" ]
    ok $? "$3"
}

has() { # LINE NAME
    grep -qix "$1"$'\r' "$dir/head"
    ok $? "$2"
}

upgrade=(-H "Connection: Upgrade" -H "Upgrade: websocket")
version=(-H "Sec-WebSocket-Version: 13")
key=(-H "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
handshake=("${upgrade[@]}" "${version[@]}" "${key[@]}")

get "${handshake[@]}" "$url/echo"
grep -q "^HTTP/1.1 101 " "$dir/head"
ok $? handshake_is_answered_with_101
has "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" accept_value_is_that_of_rfc_6455
has "Upgrade: websocket" answer_upgrades_to_websocket
has "Connection: Upgrade" answer_says_connection_upgrade

get -H "Connection: keep-alive, Upgrade" -H "Upgrade: WebSocket" "${version[@]}" "${key[@]}" \
    "$url/room/a?query=1"
grep -q "^HTTP/1.1 101 " "$dir/head"
ok $? room_with_a_query_is_answered_with_101

get "$url/echo"
answers 426 upgrade_required plain_get_is_426
has "Upgrade: websocket" plain_get_is_told_to_upgrade

get "${upgrade[@]}" "${key[@]}" -H "Sec-WebSocket-Version: 8" "$url/echo"
answers 426 websocket_version other_version_is_426
has "Sec-WebSocket-Version: 13" other_version_is_told_the_right_one

get "${upgrade[@]}" "${version[@]}" -H "Sec-WebSocket-Key: test" "$url/echo"
answers 400 bad_key bad_key_is_400
get "${upgrade[@]}" "${version[@]}" "$url/echo"
answers 400 bad_key absent_key_is_400
get "${handshake[@]}" "${key[@]}" "$url/echo"
answers 400 malformed key_given_twice_is_400

get "${handshake[@]}" "$url/nowhere"
answers 404 no_route unknown_path_is_404
get "$url/"
answers 404 no_route root_is_404
get "${handshake[@]}" -X POST "$url/echo"
answers 405 method_not_allowed post_is_405
get -d body "$url/echo"
answers 405 method_not_allowed post_with_a_body_is_405
get -I "$url/echo"
grep -q "^HTTP/1.1 405 " "$dir/head"
ok $? head_is_405
get "${handshake[@]}" --http1.0 "$url/echo"
answers 505 http_version http_1_0_is_505

long=$(head -c 17000 /dev/zero | tr '\0' x)
get "${handshake[@]}" -H "X-Long: $long" "$url/echo"
answers 431 head_too_large long_header_is_431
printf 'X-%d: y\n' $(seq 100) >"$dir/headers"
get "${handshake[@]}" -H "@$dir/headers" "$url/echo"
answers 431 head_too_large hundred_headers_are_431
head -c 200000 /dev/zero | tr '\0' x | sed 's/^/X-Long: /' >"$dir/headers"
get "${handshake[@]}" -H "@$dir/headers" "$url/echo"
answers 431 head_too_large huge_header_is_431

get "${handshake[@]}" -H "Origin: https://elsewhere.example" "$url/echo"
answers 403 origin foreign_origin_is_403
get "${handshake[@]}" -H "Origin: null" "$url/echo"
answers 403 origin null_origin_is_403
get "${handshake[@]}" -H "Origin: $url" "$url/echo"
grep -q "^HTTP/1.1 101 " "$dir/head"
ok $? own_origin_is_let_in
get "${handshake[@]}" -H "Cookie: a=b" "$url/echo"
answers 403 origin cookie_without_an_origin_is_403

get "${handshake[@]}" -H "Host: evil host" "$url/echo"
answers 400 bad_host bad_host_is_400
get "${handshake[@]}" -H "Content-Length: 5" "$url/echo"
answers 400 unexpected_body announced_body_is_400

# Two requests on one connection: a refusal ends it.
has "Connection: close" refusal_closes_the_connection

get "${handshake[@]}" "$url/echo"
grep -q "^HTTP/1.1 101 " "$dir/head"
ok $? server_serves_on_after_all_that

kill "$server"
wait "$server"
ok $? server_ends_well
echo "1..$count"
exit $failed

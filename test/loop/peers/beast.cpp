// SPDX-License-Identifier: MIT
// A client of Boost.Beast. See test_peers.py.
#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = boost::asio::ip::tcp;

int main(int, char **argv)
try {
    const std::string url = argv[1]; // ws://HOST:PORT/PATH
    const std::string host = url.substr(5, url.find('/', 5) - 5);
    const std::string path = url.substr(url.find('/', 5));
    const auto colon = host.rfind(':');

    std::string every(256, '\0');
    for (int i = 0; i < 256; i++) every[i] = static_cast<char>(i);
    const std::vector<std::pair<bool, std::string>> messages = {
        {true, "gr\u00fc\u00df dich \u4e16\u754c"},
        {true, ""},
        {false, every},
        {false, std::string(65535, 'x')},
    };

    boost::asio::io_context loop;
    websocket::stream<tcp::socket> ws(loop);
    boost::asio::connect(ws.next_layer(), tcp::resolver(loop).resolve(host.substr(0, colon),
                                                                     host.substr(colon + 1)));
    websocket::permessage_deflate deflate;
    deflate.client_enable = true;
    ws.set_option(deflate);
    websocket::response_type response;
    ws.handshake(response, host, path);
    std::cout << (response.count("Sec-WebSocket-Extensions") ? "deflate" : "plain") << "\n";
    for (const auto &[text, payload] : messages) {
        ws.text(text);
        ws.write(boost::asio::buffer(payload));
        beast::flat_buffer got;
        ws.read(got);
        const bool same = ws.got_text() == text && beast::buffers_to_string(got.data()) == payload;
        std::cout << (same ? "same" : "different") << "\n";
    }
    ws.close({static_cast<websocket::close_code>(3001), "mine"});
    std::cout << "closed " << ws.reason().code << "\n";
} catch (const std::exception &error) {
    std::cout << error.what() << "\n";
    return 1;
}

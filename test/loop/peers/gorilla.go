// SPDX-License-Identifier: MIT
// A client of gorilla/websocket, Go's usual package. See test_peers.py.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/gorilla/websocket"
)

type message struct {
	kind    int
	payload []byte
}

func main() {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	messages := []message{
		{websocket.TextMessage, []byte("gr\u00fc\u00df dich \u4e16\u754c")},
		{websocket.TextMessage, nil},
		{websocket.BinaryMessage, every},
		{websocket.BinaryMessage, bytes.Repeat([]byte("x"), 65535)},
	}
	dialer := websocket.Dialer{EnableCompression: true}
	conn, response, err := dialer.Dial(os.Args[1], nil)
	if err != nil {
		fmt.Println("refused", err)
		os.Exit(1)
	}
	if response.Header.Get("Sec-WebSocket-Extensions") != "" {
		fmt.Println("deflate")
	} else {
		fmt.Println("plain")
	}
	for _, sent := range messages {
		if err := conn.WriteMessage(sent.kind, sent.payload); err != nil {
			fmt.Println(err)
		}
		kind, payload, err := conn.ReadMessage()
		if err == nil && kind == sent.kind && bytes.Equal(payload, sent.payload) {
			fmt.Println("same")
		} else {
			fmt.Println("different", err)
		}
	}
	conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(3001, "mine"))
	_, _, err = conn.ReadMessage()
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		fmt.Println("closed", closed.Code)
	} else {
		fmt.Println(err)
	}
}

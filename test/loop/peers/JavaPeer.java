// SPDX-License-Identifier: MIT
// A client of java.net.http, which is in the JDK. See test_peers.py.
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

public class JavaPeer {
    static final CompletableFuture<Void> end = new CompletableFuture<>();

    static class Listener implements WebSocket.Listener {
        private final List<Object> messages;
        private final StringBuilder text = new StringBuilder();
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private int sent = 0;

        Listener(List<Object> messages) {
            this.messages = messages;
        }

        private void send(WebSocket ws) {
            Object message = messages.get(sent);
            if (message instanceof String) ws.sendText((String) message, true);
            else ws.sendBinary(ByteBuffer.wrap((byte[]) message), true);
        }

        private void judge(WebSocket ws, boolean same) {
            System.out.println(same ? "same" : "different");
            if (++sent < messages.size()) send(ws);
            else ws.sendClose(3001, "mine");
        }

        @Override
        public void onOpen(WebSocket ws) {
            System.out.println("plain"); // it offers no extension
            ws.request(1);
            send(ws);
        }

        @Override
        public CompletionStage<?> onText(WebSocket ws, CharSequence data, boolean last) {
            text.append(data);
            ws.request(1);
            if (last) {
                judge(ws, text.toString().equals(messages.get(sent)));
                text.setLength(0);
            }
            return null;
        }

        @Override
        public CompletionStage<?> onBinary(WebSocket ws, ByteBuffer data, boolean last) {
            byte[] part = new byte[data.remaining()];
            data.get(part);
            bytes.writeBytes(part);
            ws.request(1);
            if (last) {
                Object message = messages.get(sent);
                judge(ws, message instanceof byte[]
                        && Arrays.equals(bytes.toByteArray(), (byte[]) message));
                bytes.reset();
            }
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket ws, int code, String reason) {
            System.out.println("closed " + code);
            end.complete(null);
            return null;
        }

        @Override
        public void onError(WebSocket ws, Throwable error) {
            System.out.println(error);
            end.complete(null);
        }
    }

    public static void main(String[] args) {
        byte[] every = new byte[256];
        for (int i = 0; i < 256; i++) every[i] = (byte) i;
        byte[] large = new byte[65535];
        Arrays.fill(large, (byte) 'x');
        List<Object> messages = List.of("gr\u00fc\u00df dich \u4e16\u754c", "", every, large);
        HttpClient.newHttpClient().newWebSocketBuilder()
                .buildAsync(URI.create(args[0]), new Listener(messages)).join();
        end.join();
        System.exit(0); // the client's threads do not end by themselves
    }
}

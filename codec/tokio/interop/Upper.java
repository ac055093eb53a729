import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The JDK's own client: sends each text, and prints what comes back. Usage: java Upper.java URL TEXT... */
class Upper implements WebSocket.Listener {
    final LinkedBlockingQueue<String> texts = new LinkedBlockingQueue<>();
    final CompletableFuture<ByteBuffer> pong = new CompletableFuture<>();
    final CompletableFuture<Integer> closed = new CompletableFuture<>();
    private final StringBuilder text = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
        text.append(data);
        if (last) {
            texts.add(text.toString());
            text.setLength(0);
        }
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onPong(WebSocket socket, ByteBuffer message) {
        pong.complete(message);
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        closed.complete(code);
        return null;
    }

    public static void main(String[] words) throws Exception {
        var listener = new Upper();
        var socket = HttpClient.newHttpClient().newWebSocketBuilder()
            .buildAsync(URI.create(words[0]), listener).get(20, TimeUnit.SECONDS);
        for (int i = 1; i < words.length; i++) {
            // In two fragments.
            int half = words[i].length() / 2;
            socket.sendText(words[i].substring(0, half), false).get(20, TimeUnit.SECONDS);
            socket.sendText(words[i].substring(half), true).get(20, TimeUnit.SECONDS);
            System.out.println(listener.texts.poll(20, TimeUnit.SECONDS));
        }
        var large = "x".repeat(1 << 20);
        socket.sendText(large, true).get(20, TimeUnit.SECONDS);
        System.out.println(large.toUpperCase().equals(listener.texts.poll(20, TimeUnit.SECONDS)));
        socket.sendPing(ByteBuffer.wrap(new byte[125])).get(20, TimeUnit.SECONDS);
        System.out.println(listener.pong.get(20, TimeUnit.SECONDS).remaining());
        socket.sendClose(WebSocket.NORMAL_CLOSURE, "done").get(20, TimeUnit.SECONDS);
        System.out.println(listener.closed.get(20, TimeUnit.SECONDS));
        System.exit(0);
    }
}

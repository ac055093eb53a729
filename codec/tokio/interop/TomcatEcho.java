import jakarta.servlet.ServletContext;
import jakarta.servlet.ServletException;
import jakarta.websocket.CloseReason;
import jakarta.websocket.DeploymentException;
import jakarta.websocket.Endpoint;
import jakarta.websocket.EndpointConfig;
import jakarta.websocket.MessageHandler;
import jakarta.websocket.Session;
import jakarta.websocket.server.ServerContainer;
import jakarta.websocket.server.ServerEndpointConfig;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.catalina.servlets.DefaultServlet;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.websocket.server.WsSci;

/** An echo server on Tomcat, which closes with 4000 when it is told `close`. Prints its port. */
public class TomcatEcho {
    public static class Echo extends Endpoint {
        @Override
        public void onOpen(Session session, EndpointConfig config) {
            session.setMaxTextMessageBufferSize(4 << 20);
            session.setMaxBinaryMessageBufferSize(4 << 20);
            // Not lambdas: Tomcat asks each handler's class what it handles.
            session.addMessageHandler(
                    new MessageHandler.Whole<String>() {
                        @Override
                        public void onMessage(String text) {
                            try {
                                if (text.equals("close")) {
                                    session.close(new CloseReason(() -> 4000, "as asked"));
                                } else {
                                    session.getBasicRemote().sendText(text);
                                }
                            } catch (IOException error) {
                                throw new RuntimeException(error);
                            }
                        }
                    });
            session.addMessageHandler(
                    new MessageHandler.Whole<ByteBuffer>() {
                        @Override
                        public void onMessage(ByteBuffer bytes) {
                            try {
                                session.getBasicRemote().sendBinary(bytes);
                            } catch (IOException error) {
                                throw new RuntimeException(error);
                            }
                        }
                    });
        }
    }

    public static void main(String[] words) throws Exception {
        Logger.getLogger("").setLevel(Level.SEVERE);
        var folder = Files.createTempDirectory("tomcat-echo").toFile();
        var tomcat = new Tomcat();
        tomcat.setBaseDir(folder.getPath());
        tomcat.setHostname("127.0.0.1");
        tomcat.setPort(0);
        var connector = tomcat.getConnector();
        connector.setProperty("address", "127.0.0.1");
        var context = tomcat.addContext("", folder.getPath());
        // Filters, of which Tomcat's WebSocket is one, see only what some servlet would serve.
        Tomcat.addServlet(context, "default", new DefaultServlet());
        context.addServletMappingDecoded("/", "default");
        context.addServletContainerInitializer(new WsSci(), null);
        context.addServletContainerInitializer((classes, servlets) -> register(servlets), null);
        tomcat.start();
        System.out.println(connector.getLocalPort());
        tomcat.getServer().await();
    }

    /** Called once Tomcat has made the container of WebSockets. */
    private static void register(ServletContext context) throws ServletException {
        var name = ServerContainer.class.getName();
        try {
            var config = ServerEndpointConfig.Builder.create(Echo.class, "/").build();
            ((ServerContainer) context.getAttribute(name)).addEndpoint(config);
        } catch (DeploymentException error) {
            throw new ServletException(error);
        }
    }
}

import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * Starts DynamoDB Local on this machine only, on a port that the system gives, tells which, and ends with its standard
 * input. Its own command line can do neither: it binds every interface, and a fixed port.
 */
public final class DynamoDbLocal {
    public static void main(String[] arguments) throws Exception {
        // The command line takes no port 0; what it is given is replaced before anything listens.
        DynamoDBProxyServer proxy = ServerRunner.createServerFromCommandLineArgs(
                new String[] {"-inMemory", "-disableTelemetry", "-port", "8000"});
        var field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        ServerConnector connector = (ServerConnector) ((Server) field.get(proxy)).getConnectors()[0];
        connector.setHost("127.0.0.1");
        connector.setPort(0);
        proxy.start();
        System.out.println("listening on 127.0.0.1:" + connector.getLocalPort());
        System.out.flush();
        while (System.in.read() >= 0) {
            // Whoever started this holds the other end, and says nothing.
        }
        Runtime.getRuntime().halt(0);
    }
}

import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.HashSet;
import java.util.Set;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/**
 * Writes a trust store with what this JDK trusts and what the system's bundle trusts beyond it; no file where the bundle
 * adds nothing. Behind a proxy that signs with its own authority the system often knows that authority and the JDK does
 * not, and then curl works and Maven fails.
 *
 * <p>{@code java SystemTrust.java BUNDLE.pem STORE.p12}, run by the launcher before a build.
 */
class SystemTrust {
    public static void main(String[] arguments) throws Exception {
        Set<Certificate> trusted = new HashSet<>();
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init((KeyStore) null);
        for (TrustManager manager : factory.getTrustManagers()) {
            if (manager instanceof X509TrustManager known) {
                for (X509Certificate authority : known.getAcceptedIssuers()) {
                    trusted.add(authority);
                }
            }
        }
        int ofTheJdk = trusted.size();
        try (InputStream bundle = Files.newInputStream(Path.of(arguments[0]))) {
            trusted.addAll(CertificateFactory.getInstance("X.509").generateCertificates(bundle));
        }
        if (trusted.size() == ofTheJdk) {
            return;
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        for (Certificate authority : trusted) {
            store.setCertificateEntry("authority-" + store.size(), authority);
        }
        try (OutputStream out = Files.newOutputStream(Path.of(arguments[1]))) {
            store.store(out, "changeit".toCharArray());
        }
    }
}

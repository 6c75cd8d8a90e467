package org.ewc4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class NativeResourceTest {
    @Test
    void releasesOnceAndRefusesUseAfterwards() {
        AtomicInteger released = new AtomicInteger();
        NativeResource resource = new NativeResource(this, "Thing", released::incrementAndGet);
        resource.requireOpen();
        resource.close();
        resource.close();
        assertThat(released).hasValue(1);
        assertThatThrownBy(resource::requireOpen)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Thing is closed");
        assertThatThrownBy(resource::acquire)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Thing is closed");
    }

    @Test
    void refusesToCloseWhileInUse() {
        AtomicInteger released = new AtomicInteger();
        NativeResource resource = new NativeResource(this, "Thing", released::incrementAndGet);
        resource.acquire();
        assertThatThrownBy(resource::close)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("while in use");
        assertThat(released).hasValue(0);
        resource.release();
        resource.close();
        assertThat(released).hasValue(1);
    }

    @Test
    void aUseThatWantsToBeAloneIsRefusedBesideAnother() {
        NativeResource resource = new NativeResource(this, "Thing", () -> {});
        resource.acquire();
        assertThatThrownBy(resource::acquireAlone)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Thing is in use");
        resource.release();
        resource.acquireAlone();
        assertThatThrownBy(resource::close).isInstanceOf(IllegalStateException.class);
        resource.release();
        resource.close();
        assertThatThrownBy(resource::acquireAlone)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Thing is closed");
    }

    @Test
    void leakIsFreedAndLoggedWithItsCreationSite() throws InterruptedException {
        Logger logger = (Logger) LoggerFactory.getLogger(NativeResource.class);
        ListAppender<ILoggingEvent> events = new ListAppender<>();
        events.start();
        logger.addAppender(events);
        try {
            CountDownLatch freed = new CountDownLatch(1);
            leak(freed);
            for (int i = 0; i < 100 && freed.getCount() > 0; i++) {
                System.gc();
                freed.await(50, TimeUnit.MILLISECONDS);
            }
            assertThat(freed.getCount()).isZero();
            assertThat(events.list).anySatisfy(event -> {
                assertThat(event.getFormattedMessage()).contains("Leaked thing");
                assertThat(event.getThrowableProxy().getStackTraceElementProxyArray())
                        .anyMatch(element -> element.toString().contains("NativeResourceTest.leak"));
            });
        } finally {
            logger.detachAppender(events);
        }
    }

    private static void leak(CountDownLatch freed) {
        new NativeResource(new Object(), "Leaked thing", freed::countDown);
    }
}

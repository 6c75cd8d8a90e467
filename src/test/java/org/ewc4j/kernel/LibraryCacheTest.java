package org.ewc4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Loading in turn. That processes take turns too is NativeFaultTest's. */
@Timeout(60)
class LibraryCacheTest {
    @Test
    void oneAtATimeLoads() throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            threads.add(new Thread(() -> LibraryCache.alone(() -> {
                most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                sleep(100);
                inside.decrementAndGet();
            })));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }

        assertThat(most).hasValue(1);
        assertThat(inside).hasValue(0);
    }

    @Test
    void anInterruptNeitherEndsTheWaitNorIsLost() throws Exception {
        CountDownLatch held = new CountDownLatch(1);
        Thread holder = new Thread(() -> LibraryCache.alone(() -> {
            held.countDown();
            sleep(300);
        }));
        holder.start();
        held.await();
        List<Boolean> seen = new ArrayList<>();
        Thread waiter = new Thread(() -> {
            Thread.currentThread().interrupt();
            LibraryCache.alone(() -> seen.add(true));
            seen.add(Thread.currentThread().isInterrupted());
        });
        waiter.start();
        waiter.join();
        holder.join();

        assertThat(seen).containsExactly(true, true);
    }

    @Test
    void aFailureGivesTheTurnBack() {
        assertThatThrownBy(() -> LibraryCache.alone(() -> {
                    throw new UnsatisfiedLinkError("no such library");
                }))
                .isInstanceOf(UnsatisfiedLinkError.class);
        AtomicInteger runs = new AtomicInteger();
        LibraryCache.alone(runs::incrementAndGet);

        assertThat(runs).hasValue(1);
    }

    private static void sleep(int milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}

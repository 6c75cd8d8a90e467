package org.ewc4j;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.util.List;
import org.slf4j.LoggerFactory;

/** What a class warns of, until closed. */
public final class LoggedWarnings implements AutoCloseable {
    private final Logger logger;
    private final ListAppender<ILoggingEvent> events = new ListAppender<>();

    private LoggedWarnings(Logger logger) {
        this.logger = logger;
        events.start();
        logger.addAppender(events);
    }

    public static LoggedWarnings of(Class<?> owner) {
        return new LoggedWarnings((Logger) LoggerFactory.getLogger(owner));
    }

    public List<String> messages() {
        return List.copyOf(events.list).stream()
                .map(ILoggingEvent::getFormattedMessage)
                .toList();
    }

    @Override
    public void close() {
        logger.detachAppender(events);
    }
}

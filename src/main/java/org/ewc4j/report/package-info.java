/**
 * What a run tells and leaves: the listener interface, the output folder with its files, progress on a stream, and the
 * report page. Owns files in the output folder; owns no native memory, prints to nothing but the stream it is given. May
 * call {@code eval}, {@code train} and below.
 */
package org.ewc4j.report;

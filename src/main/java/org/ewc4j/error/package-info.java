/**
 * What can go wrong, as types: a mistake in what a person gave, a run that could not go on.
 *
 * <p>Owns: the exceptions that cross the public API. The type is API, the message is one line for a person.
 *
 * <p>Does not own: exit codes and how a message is shown ({@code cli}), the status codes of the native library
 * ({@code kernel} turns them into these types).
 *
 * <p>May call: nothing of ewc4j; every other package may call it.
 */
package org.ewc4j.error;

/**
 * The command line.
 *
 * <p>Owns: flags and what they become in a configuration, exit codes, and what is shown on the terminal. The only package
 * that prints or exits.
 *
 * <p>Does not own: logic of learning, and what is checked of a configuration or its files.
 *
 * <p>May call: everything.
 */
package org.ewc4j.cli;

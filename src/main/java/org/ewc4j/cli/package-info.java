/**
 * The command line: flags to configuration, exit codes, and what is shown. No logic of learning. The only package that
 * prints or exits; may call everything below.
 */
package org.ewc4j.cli;

/**
 * The native kernels of EWC and AdamW, as verbs over addresses.
 *
 * <p>Owns: the JNI glue, the loading of the native library, small native structs, the exceptions that a native status
 * becomes. Does not own: any tensor; every buffer belongs to the caller (package {@code tensor}). May call: {@code error}.
 */
package org.ewc4j.kernel;

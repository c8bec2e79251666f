// OpenSSL for Swift, taken into the process only when somebody asks for TLS: most of its interface is macros,
// and a daemon without TLS should neither load five megabytes of libraries nor depend on their being there.
// Each function here is one call of the library of the same name; `ossl_load` comes before all others.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct ssl_st;
struct ssl_ctx_st;

/// Loads the library and sets it up. NULL, or the loader's text of what is missing. Not thread-safe.
const char *ossl_load(void);

// What ossl_why answers; OpenSSL's own numbers.
#define OSSL_FAULT 1
#define OSSL_WANTS_READ 2
#define OSSL_WANTS_WRITE 3
#define OSSL_SYSTEM_FAULT 5
#define OSSL_ENDED 6
// Not OpenSSL's: the socket ended without a word of TLS.
#define OSSL_GONE 100
// Not OpenSSL's: messages of TLS's own were taken, and nothing for us. There may be more at once.
#define OSSL_AGAIN 101

// MARK: What all connections share

/// A server's context: TLS from `version` (0x0303 is 1.2, 0x0304 is 1.3) on, no renegotiation, the settings
/// non-blocking sockets need; it never asks a terminal for a key's password. NULL on failure.
struct ssl_ctx_st *ossl_context_new(int version);
void ossl_context_retain(struct ssl_ctx_st *context);
void ossl_context_free(struct ssl_ctx_st *context);
/// 1 on success, as all that follow.
int ossl_context_chain_file(struct ssl_ctx_st *context, const char *path);
/// `format`: 1 PEM, 2 DER.
int ossl_context_key_file(struct ssl_ctx_st *context, const char *path, int format);
int ossl_context_check_key(struct ssl_ctx_st *context);
int ossl_context_authority_file(struct ssl_ctx_st *context, const char *path);
int ossl_context_ciphers(struct ssl_ctx_st *context, const char *list);
/// The suites of TLS 1.3, which are chosen apart from all others.
int ossl_context_suites(struct ssl_ctx_st *context, const char *list);
/// `mode`: the SSL_VERIFY bits, of which 1 asks for a certificate, 2 insists, 4 asks once.
void ossl_context_verify(struct ssl_ctx_st *context, int mode);
/// Sessions that can be resumed, by ticket or from the server's cache, under that name; or none at all.
int ossl_context_sessions(struct ssl_ctx_st *context, const char *name);
void ossl_context_no_sessions(struct ssl_ctx_st *context);
/// Leaves encryption to the kernel where it can.
void ossl_context_kernel_tls(struct ssl_ctx_st *context);
/// What was decrypted is wiped from OpenSSL's buffers as soon as it was read.
void ossl_context_wipe_input(struct ssl_ctx_st *context);

// MARK: One connection

/// The server's end of a connection on `descriptor`; NULL without memory.
struct ssl_st *ossl_new(struct ssl_ctx_st *context, int descriptor);
void ossl_verify(struct ssl_st *connection, int mode);
int ossl_handshake(struct ssl_st *connection);
/// Asks the socket twice at most, and comes back with OSSL_AGAIN when all that was read ahead were messages
/// of TLS's own: who sends nothing else must not keep the thread.
int ossl_read(struct ssl_st *connection, void *bytes, int count);
/// From here on no record is read before the one in front of it was taken.
void ossl_no_read_ahead(struct ssl_st *connection);
int ossl_write(struct ssl_st *connection, const void *bytes, int count);
/// Why the call just made returned `result`, which was not above 0.
int ossl_why(const struct ssl_st *connection, int result);
/// Whether bytes from the socket wait inside, where no event loop sees them.
int ossl_has_pending(const struct ssl_st *connection);
int ossl_was_resumed(const struct ssl_st *connection);
/// Tells the peer that this is the end; waits for nothing.
void ossl_shutdown(struct ssl_st *connection);
void ossl_free(struct ssl_st *connection);

// MARK: Errors

/// This thread's first error in words, and forgets them all; empty if there is none.
void ossl_take_error(char *text, size_t size);
void ossl_forget_errors(void);

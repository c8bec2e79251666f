#define _GNU_SOURCE
#include "COpenSSL.h"
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

_Static_assert(OSSL_FAULT == SSL_ERROR_SSL && OSSL_WANTS_READ == SSL_ERROR_WANT_READ, "OpenSSL's numbers");
_Static_assert(OSSL_WANTS_WRITE == SSL_ERROR_WANT_WRITE && OSSL_ENDED == SSL_ERROR_ZERO_RETURN, "same");
_Static_assert(OSSL_SYSTEM_FAULT == SSL_ERROR_SYSCALL, "same");

#define CALLS(X) \
    X(OPENSSL_init_ssl) X(TLS_server_method) \
    X(SSL_CTX_new) X(SSL_CTX_up_ref) X(SSL_CTX_free) X(SSL_CTX_ctrl) \
    X(SSL_CTX_set_options) X(SSL_CTX_set_default_passwd_cb) X(SSL_CTX_use_certificate_chain_file) \
    X(SSL_CTX_use_PrivateKey_file) X(SSL_CTX_check_private_key) X(SSL_CTX_load_verify_locations) \
    X(SSL_load_client_CA_file) X(SSL_CTX_set_client_CA_list) X(SSL_CTX_set_cipher_list) \
    X(SSL_CTX_set_ciphersuites) X(SSL_CTX_set_verify) X(SSL_CTX_set_session_id_context) \
    X(SSL_CTX_set_num_tickets) X(SSL_new) X(SSL_set_fd) X(SSL_set_accept_state) X(SSL_set_verify) \
    X(SSL_do_handshake) X(SSL_read) X(SSL_write) X(SSL_get_error) X(SSL_has_pending) X(SSL_session_reused) \
    X(SSL_shutdown) X(SSL_free) X(ERR_get_error) X(ERR_peek_error) X(ERR_error_string_n) X(ERR_clear_error) \
    X(SSL_get_rbio) X(SSL_set_read_ahead) X(BIO_set_callback_ex) X(BIO_set_flags)

#define FIELD(name) __typeof__(&name) name;
// Written once by ossl_load, before there are threads.
static struct { CALLS(FIELD) } lib;

#define TEXT_OF(x) #x
#define SONAME(version) "libssl.so." TEXT_OF(version)

const char *ossl_load(void) {
    // Never closed: the library's thread-local data outlives any user of it.
    void *handle = dlopen(SONAME(OPENSSL_SHLIB_VERSION), RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) return dlerror();
#define FIND(name) \
    if ((*(void **)&lib.name = dlsym(handle, #name)) == NULL) return dlerror();
    CALLS(FIND)
    // Its own tidying at exit would race with threads that still run; the kernel tidies better.
    return lib.OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL) == 1 ? NULL : "OpenSSL can't be initialised";
}

// MARK: What all connections share

static int no_password(char *text, int size, int writes, void *unused) {
    (void)text, (void)size, (void)writes, (void)unused;
    return -1;
}

SSL_CTX *ossl_context_new(int version) {
    SSL_CTX *context = lib.SSL_CTX_new(lib.TLS_server_method());
    if (context == NULL) return NULL;
    lib.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, version, NULL);
    lib.SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    lib.SSL_CTX_ctrl(
        context, SSL_CTRL_MODE,
        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS, NULL);
    // A read comes back after messages of TLS's own, instead of waiting for others.
    lib.SSL_CTX_ctrl(context, SSL_CTRL_CLEAR_MODE, SSL_MODE_AUTO_RETRY, NULL);
    lib.SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, 1, NULL);
    lib.SSL_CTX_set_default_passwd_cb(context, no_password);
    return context;
}

void ossl_context_retain(SSL_CTX *context) { lib.SSL_CTX_up_ref(context); }

void ossl_context_free(SSL_CTX *context) { lib.SSL_CTX_free(context); }

int ossl_context_chain_file(SSL_CTX *context, const char *path) {
    return lib.SSL_CTX_use_certificate_chain_file(context, path);
}

int ossl_context_key_file(SSL_CTX *context, const char *path, int format) {
    return lib.SSL_CTX_use_PrivateKey_file(
        context, path, format == 2 ? SSL_FILETYPE_ASN1 : SSL_FILETYPE_PEM);
}

int ossl_context_check_key(SSL_CTX *context) { return lib.SSL_CTX_check_private_key(context); }

int ossl_context_authority_file(SSL_CTX *context, const char *path) {
    if (lib.SSL_CTX_load_verify_locations(context, path, NULL) != 1) return 0;
    STACK_OF(X509_NAME) *names = lib.SSL_load_client_CA_file(path);
    if (names == NULL) return 0;
    lib.SSL_CTX_set_client_CA_list(context, names);
    return 1;
}

int ossl_context_ciphers(SSL_CTX *context, const char *list) {
    return lib.SSL_CTX_set_cipher_list(context, list);
}

int ossl_context_suites(SSL_CTX *context, const char *list) {
    return lib.SSL_CTX_set_ciphersuites(context, list);
}

void ossl_context_verify(SSL_CTX *context, int mode) { lib.SSL_CTX_set_verify(context, mode, NULL); }

int ossl_context_sessions(SSL_CTX *context, const char *name) {
    lib.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_SERVER, NULL);
    return lib.SSL_CTX_set_session_id_context(
        context, (const unsigned char *)name, (unsigned)__builtin_strlen(name));
}

void ossl_context_no_sessions(SSL_CTX *context) {
    lib.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    lib.SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    lib.SSL_CTX_set_num_tickets(context, 0);
}

void ossl_context_kernel_tls(SSL_CTX *context) { lib.SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS); }

void ossl_context_wipe_input(SSL_CTX *context) {
    lib.SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
}

// MARK: One connection

// What one ossl_read may still ask of the socket: refused hellos of TLS 1.2 OpenSSL passes over by itself.
static _Thread_local int reads_left = INT_MAX;

static long count_reads(
    BIO *bio, int what, const char *bytes, size_t count, int number, long word, int result, size_t *done) {
    (void)bytes, (void)count, (void)number, (void)word, (void)done;
    if (what != BIO_CB_READ || reads_left-- > 0) return result;
    lib.BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
    errno = EAGAIN;
    return -1;
}

SSL *ossl_new(SSL_CTX *context, int descriptor) {
    SSL *connection = lib.SSL_new(context);
    if (connection == NULL) return NULL;
    if (lib.SSL_set_fd(connection, descriptor) != 1) {
        lib.SSL_free(connection);
        return NULL;
    }
    lib.BIO_set_callback_ex(lib.SSL_get_rbio(connection), count_reads);
    lib.SSL_set_accept_state(connection);
    return connection;
}

void ossl_verify(SSL *connection, int mode) { lib.SSL_set_verify(connection, mode, NULL); }

int ossl_handshake(SSL *connection) { return lib.SSL_do_handshake(connection); }

int ossl_read(SSL *connection, void *bytes, int count) {
    errno = 0;
    reads_left = 2;
    int result = lib.SSL_read(connection, bytes, count);
    reads_left = INT_MAX;
    return result;
}

void ossl_no_read_ahead(SSL *connection) { lib.SSL_set_read_ahead(connection, 0); }

int ossl_write(SSL *connection, const void *bytes, int count) {
    return lib.SSL_write(connection, bytes, count);
}

int ossl_why(const SSL *connection, int result) {
    int system = errno;
    int why = lib.SSL_get_error(connection, result);
    // A socket that has nothing says so.
    if (why == SSL_ERROR_WANT_READ && system == 0) return OSSL_AGAIN;
    if (why == SSL_ERROR_SSL && ERR_GET_REASON(lib.ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return OSSL_GONE;
    return why;
}

int ossl_has_pending(const SSL *connection) { return lib.SSL_has_pending(connection); }

int ossl_was_resumed(const SSL *connection) { return lib.SSL_session_reused(connection); }

void ossl_shutdown(SSL *connection) { lib.SSL_shutdown(connection); }

void ossl_free(SSL *connection) { lib.SSL_free(connection); }

// MARK: Errors

void ossl_take_error(char *text, size_t size) {
    unsigned long code = lib.ERR_get_error();
    text[0] = 0;
    if (code != 0) lib.ERR_error_string_n(code, text, size);
    lib.ERR_clear_error();
}

void ossl_forget_errors(void) { lib.ERR_clear_error(); }

/* tls_filter.c -- the transport of a listener with certificates: told apart from plain text, then TLS over the socket.
 *
 * First byte: it is looked at and left in the socket. 0x16 is a TLS record with a handshake; no request of HTTP/1.1 or
 * HTTP/2 begins with it. Everything else is plain text and goes on as TCP, at the cost of one system call a connection.
 *
 * OpenSSL works on the socket itself (that is what lets the kernel take over the records, where it can); we only tell it
 * when the socket is ready. It may want to write in order to read, so what the poll handle waits for is kept in tls_want.
 *
 * Memory: OpenSSL's two buffers (17 KB each) stay while a connection is used, and are given back when its owner says that it
 * rests (giving them back after every record costs 4 % of a GetItem). The reader is asked for room only when there is plain
 * text to put there. So an idle connection holds neither.
 *
 * Bounds. What a peer sends without a byte of plain text in it (handshakes, key updates, empty records, alerts) is bounded
 * by NET_TLS_SILENT_BYTES_MAX from one plain byte to the next, in the callback below OpenSSL's reads, because a single
 * call of SSL_read goes on for as long as such records come. The owner ends handshakes that take too long. Writes are
 * bounded a turn, each record by OpenSSL.
 *
 * One record an answer: pieces (head and body, answers of several requests) are gathered to a record's size. A write that
 * the socket did not take is repeated from the same bytes, so it is gathered the same way again; the kernel's records must
 * be repeated from the same memory and are not gathered. */
#include "net/limits.h"
#include "net/tls_internal.h"
#include "net/transport.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#define TLS_RECORD_BYTES 16384 /* RFC 8446, 5.1 */
#define TLS_RECORDS_MAX 16     /* written a turn */
#define TLS_READS_MAX 8        /* of a turn, while there is more */
#define TLS_FIRST_BYTE 0x16    /* handshake */

/* Of the call of OpenSSL that this thread is in: what it may still read from the socket. */
static _Thread_local size_t allowance;

static long bounded_read(BIO *bio, int operation, const char *data, size_t n, int argi, long argl, int result, size_t *processed)
{
    (void)data, (void)n, (void)argi, (void)argl;
    if (operation == BIO_CB_READ && allowance == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (operation == (BIO_CB_READ | BIO_CB_RETURN) && result > 0)
        allowance -= *processed < allowance ? *processed : allowance;
    return result;
}

/* ---- one call of OpenSSL ---- */

enum tls_result { TLS_DONE, TLS_WAIT, TLS_EOF, TLS_BROKEN };

static void call_begins(const struct transport *transport)
{
    ERR_clear_error();
    allowance = NET_TLS_SILENT_BYTES_MAX - transport->silent;
}

/* What came of it: done is OpenSSL's own result. */
static enum tls_result call_ends(struct transport *transport, int done)
{
    transport->silent = NET_TLS_SILENT_BYTES_MAX - allowance;
    if (done > 0)
        return TLS_DONE;
    switch (SSL_get_error(transport->ssl, done)) {
    case SSL_ERROR_WANT_READ:
        transport->tls_want = UV_READABLE;
        return allowance ? TLS_WAIT : TLS_BROKEN;
    case SSL_ERROR_WANT_WRITE:
        transport->tls_want = UV_WRITABLE;
        return TLS_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_EOF;
    default:
        transport->broken = true;
        ERR_clear_error();
        return TLS_BROKEN;
    }
}

/* ---- writing ---- */

/* The next record's bytes, behind `sent` of the pieces. */
static uv_buf_t next_record(const struct transport *transport, const uv_buf_t *bufs, size_t count, size_t sent)
{
    static _Thread_local char gathered[TLS_RECORD_BYTES];
    while (count > 1 && sent >= bufs->len) {
        sent -= bufs->len;
        bufs++;
        count--;
    }
    size_t left = bufs->len - sent;
    if (left >= TLS_RECORD_BYTES || count == 1 || transport->kernel_sends)
        return uv_buf_init(bufs->base + sent, (unsigned)(left < TLS_RECORD_BYTES ? left : TLS_RECORD_BYTES));
    size_t n = 0;
    for (; count && n < TLS_RECORD_BYTES; bufs++, count--, sent = 0) {
        left = bufs->len - sent;
        size_t take = left < TLS_RECORD_BYTES - n ? left : TLS_RECORD_BYTES - n;
        if (take)
            memcpy(gathered + n, bufs->base + sent, take);
        n += take;
    }
    return uv_buf_init(gathered, (unsigned)n);
}

static ssize_t tls_write(struct transport *transport, const uv_buf_t *bufs, size_t count)
{
    size_t total = 0, sent = 0;
    for (size_t i = 0; i < count; i++)
        total += bufs[i].len;
    for (int i = 0; i < TLS_RECORDS_MAX && sent < total; i++) {
        uv_buf_t record = next_record(transport, bufs, count, sent);
        size_t n = 0;
        call_begins(transport);
        enum tls_result result = call_ends(transport, SSL_write_ex(transport->ssl, record.base, record.len, &n));
        if (result == TLS_WAIT)
            break;
        if (result != TLS_DONE)
            return -1;
        sent += n;
    }
    return (ssize_t)sent;
}

static ssize_t tls_send_file(struct transport *transport, int fd, off_t offset, size_t n)
{
    if (!transport->kernel_sends)
        return TRANSPORT_UNABLE;
    call_begins(transport);
    ossl_ssize_t sent = SSL_sendfile(transport->ssl, fd, offset, n, 0);
    if (sent > 0)
        return sent;
    return sent < 0 && call_ends(transport, -1) == TLS_WAIT ? 0 : -1;
}

/* ---- reading ---- */

/* readable: the socket is; then there is plain text almost for sure, and the reader is asked for room at once. */
static void tls_read(struct transport *transport, bool readable)
{
    enum tls_result result = TLS_DONE;
    transport->input_left = false;
    for (int i = 0; i < TLS_READS_MAX && transport->reading && !transport->closing; i++) {
        size_t n = 0, room;
        if (!(i == 0 && readable) && SSL_pending(transport->ssl) == 0) {
            char first;
            call_begins(transport);
            result = call_ends(transport, SSL_peek_ex(transport->ssl, &first, 1, &n));
            if (result != TLS_DONE)
                break;
        }
        char *at = transport->user->space(transport, &room);
        call_begins(transport);
        result = call_ends(transport, SSL_read_ex(transport->ssl, at, room, &n));
        if (result != TLS_DONE)
            break;
        transport->silent = 0;
        transport->user->got(transport, (ssize_t)n);
        if (transport->closing)
            return;
        transport->input_left = SSL_has_pending(transport->ssl);
        if (!transport->input_left)
            return;
    }
    if (result == TLS_EOF || result == TLS_BROKEN)
        transport->user->got(transport, result == TLS_EOF ? 0 : -1);
    else if (result == TLS_WAIT)
        transport->input_left = false; /* part of a record: the rest will make the socket readable */
}

/* ---- handshake ---- */

/* True: it is made. */
static bool shake_hands(struct transport *transport)
{
    if (transport->opened)
        return true;
    call_begins(transport);
    switch (call_ends(transport, SSL_do_handshake(transport->ssl))) {
    case TLS_DONE:
        break;
    case TLS_WAIT:
        return false;
    default:
        transport->user->got(transport, -1);
        return false;
    }
    const unsigned char *protocol;
    unsigned n;
    SSL_get0_alpn_selected(transport->ssl, &protocol, &n);
    transport->protocol = (struct str){(const char *)protocol, n};
    transport->silent = 0;
    transport->kernel_sends = BIO_get_ktls_send(SSL_get_wbio(transport->ssl));
    transport__opened(transport);
    return !transport->closing;
}

static void tls_ready(struct transport *transport, bool readable, bool writable)
{
    (void)writable; /* OpenSSL knows what it wants; a call too many says "wait" */
    readable = readable && transport->opened;
    transport->rested = false;
    if (!shake_hands(transport))
        return;
    transport__go_on(transport, tls_write);
    if (!transport->closing && transport->reading)
        tls_read(transport, readable);
}

static int tls_events(const struct transport *transport)
{
    if (!transport->opened)
        return transport->tls_want;
    int reading = transport->input_left ? UV_READABLE | UV_WRITABLE : UV_READABLE; /* what is left is taken in the next turn */
    return (transport->reading ? reading : 0) | (transport->waiting ? UV_WRITABLE : 0);
}

/* close_notify, if it goes out at once. */
static void say_goodbye(struct transport *transport)
{
    if (!transport->opened || transport->broken || transport->waiting)
        return;
    call_begins(transport);
    call_ends(transport, SSL_shutdown(transport->ssl));
    ERR_clear_error();
}

static void tls_end(struct transport *transport)
{
    say_goodbye(transport);
    shutdown(transport->fd, SHUT_WR);
}

static void tls_clear(struct transport *transport)
{
    say_goodbye(transport);
    SSL_free(transport->ssl);
    transport->ssl = NULL;
}

static void tls_rest(struct transport *transport)
{
    SSL_free_buffers(transport->ssl); /* does nothing while there is something in them */
}

static const struct transport_type tls_type = {
    .name = "tls",
    .secure = true,
    .ready = tls_ready,
    .write = tls_write,
    .send_file = tls_send_file,
    .events = tls_events,
    .end = tls_end,
    .rest = tls_rest,
    .clear = tls_clear,
};

/* ---- the first byte ---- */

static void begin_tls(struct transport *transport)
{
    transport->ssl = tls__session(transport->tls, transport->fd);
    if (!transport->ssl) {
        transport->user->got(transport, -1);
        return;
    }
    BIO_set_callback_ex(SSL_get_rbio(transport->ssl), bounded_read);
    transport->type = &tls_type;
    transport->tls_want = UV_READABLE;
    transport->begun_ms = uv_now(transport->poll.loop);
    tls_ready(transport, true, true);
}

static void first_ready(struct transport *transport, bool readable, bool writable)
{
    unsigned char first;
    ssize_t n;
    if (!readable || !transport->reading)
        return;
    do {
        n = recv(transport->fd, &first, 1, MSG_PEEK);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n == 1 && first == TLS_FIRST_BYTE) {
        begin_tls(transport);
        return;
    }
    transport->type = &transport__tcp;
    transport->type->ready(transport, readable, writable);
}

static int first_events(const struct transport *transport)
{
    return transport->reading ? UV_READABLE : 0;
}

static void first_end(struct transport *transport)
{
    shutdown(transport->fd, SHUT_WR);
}

/* A protocol that is told of nothing writes nothing. */
static ssize_t first_write(struct transport *transport, const uv_buf_t *bufs, size_t count)
{
    (void)transport, (void)bufs, (void)count;
    return -1;
}

static ssize_t first_send_file(struct transport *transport, int fd, off_t offset, size_t n)
{
    (void)transport, (void)fd, (void)offset, (void)n;
    return -1;
}

const struct transport_type transport__first = {
    .name = "first byte",
    .ready = first_ready,
    .write = first_write,
    .send_file = first_send_file,
    .events = first_events,
    .end = first_end,
};

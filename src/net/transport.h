/* transport.h -- what carries a connection's bytes: TCP, or TLS over it. Internal to src/net and its tests.
 *
 * The protocol above (HTTP/1.1, HTTP/2) owns the transport, as a member of its connection, and gives a constant struct of
 * callbacks; it reads and writes through the functions below and knows no socket. What carries the bytes is a row of
 * functions as well (struct transport_type), found when the connection begins: a listener with certificates takes a first
 * byte of 0x16 for a TLS handshake and everything else for plain text.
 * Thread: all of it on the connection's loop. No callback is called from inside transport_write, _read or _end. */
#ifndef CLOUDLESS_NET_TRANSPORT_H
#define CLOUDLESS_NET_TRANSPORT_H
#include "base/str.h"
#include <sys/types.h>
#include <uv.h>

#define TRANSPORT_PIECES_MAX 32 /* of one write */

struct transport;
struct tls;
struct ssl_st;

/* The protocol above. A callback may close the transport, and may change transport->user. */
struct transport_user {
    /* The connection is made, handshake included; once, before anything is read. May be NULL. */
    void (*opened)(struct transport *transport);
    /* Asked before each read; false: not in this turn. NULL: always. */
    bool (*may_read)(struct transport *transport);
    /* Where the next bytes go: at least one. The place is good until got, which always follows or nothing was read. */
    char *(*space)(struct transport *transport, size_t *ret_n);
    /* n > 0: so many bytes are there. 0: the peer ends its sending. < 0: broken, nothing is left but to close. */
    void (*got)(struct transport *transport, ssize_t n);
    /* What transport_write or transport_send_file left is out; false: broken. */
    void (*written)(struct transport *transport, bool fine);
    /* After transport_close: the last callback, the memory is the owner's again. */
    void (*closed)(struct transport *transport);
};

struct transport_type {
    const char *name;
    bool secure;
    void (*ready)(struct transport *transport, bool readable, bool writable); /* the socket is */
    ssize_t (*write)(struct transport *transport, const uv_buf_t *bufs, size_t count);
    ssize_t (*send_file)(struct transport *transport, int fd, off_t offset, size_t n);
    int (*events)(const struct transport *transport); /* of libuv's UV_READABLE | UV_WRITABLE: what it waits for */
    void (*end)(struct transport *transport);         /* says that no more will be written */
    void (*rest)(struct transport *transport);        /* gives back what it needs only while bytes move; may be NULL */
    void (*clear)(struct transport *transport);       /* frees what it holds; may be NULL */
};
extern const struct transport_type transport__tcp, transport__first; /* first: which one is it */

struct transport {
    const struct transport_type *type;
    const struct transport_user *user;
    uv_poll_t poll;
    int fd;
    int events; /* that poll waits for */
    bool reading, opened, closing;
    bool rested;                /* since bytes moved last */
    bool waiting;   /* a write is unfinished */
    uv_buf_t *rest; /* of it, [rest_count] from rest_at; NULL: of a file */
    size_t rest_at, rest_count;
    size_t unsent;   /* bytes of rest */
    struct tls *tls; /* of transport__first and TLS; from here on TLS only */
    struct ssl_st *ssl;
    struct str protocol; /* that ALPN gave; STR_NONE: none, and of TCP */
    int tls_want;        /* events, during the handshake */
    bool input_left;     /* OpenSSL holds input that may be plain text */
    bool broken, kernel_sends;  /* kernel_sends: it makes the records */
    size_t silent;     /* bytes that came since the last plain text */
    uint64_t begun_ms; /* uv_now: the handshake */
};

/* Takes fd, a connected non-blocking socket; *transport is zeroed. tls: TLS or plain text, as the peer begins; NULL: plain
 * text. False: fd is closed and `closed` is not called. Nothing is read before transport_read. */
bool transport_open(struct transport *transport, uv_loop_t *loop, int fd, struct tls *tls, const struct transport_user *user);
/* Whether input is wanted. False: the loop does not take it, transport is to be closed. */
bool transport_read(struct transport *transport, bool on);
/* Sends in one system call what the socket takes, and returns how many bytes that were; < 0: broken. If it is less than
 * all, the transport goes on by itself: the bytes (bufs itself may go) must stay until `written`, and nothing else is
 * written before. count: 1 to TRANSPORT_PIECES_MAX. */
ssize_t transport_write(struct transport *transport, const uv_buf_t *bufs, size_t count);
/* Up to n bytes of a file, without copying them where that is possible: how many the socket took; 0: none, `written` tells
 * when to try again; < 0: broken, or TRANSPORT_UNABLE: to be read and written instead. May wait for the disk. */
#define TRANSPORT_UNABLE (-1000)
ssize_t transport_send_file(struct transport *transport, int fd, off_t offset, size_t n);
/* Nothing more will be written; input goes on. */
void transport_end(struct transport *transport);
/* Nothing has moved for a while. */
void transport_rest(struct transport *transport);
/* At once, whatever is under way; then `closed`. */
void transport_close(struct transport *transport);

/* Bytes of an unfinished write: whoever waits for it sees by them whether it moves. */
static inline size_t transport_unsent(const struct transport *transport)
{
    return transport->unsent;
}

static inline bool transport_secure(const struct transport *transport)
{
    return transport->type->secure;
}

/* Since when (uv_now) the peer has owed the end of its handshake; 0: it does not. */
static inline uint64_t transport_shaking_ms(const struct transport *transport)
{
    return transport->ssl && !transport->opened ? transport->begun_ms : 0;
}

/* For the rows. */
bool transport__wait(struct transport *transport);   /* for the events that its row names; false: the loop does not take it */
void transport__opened(struct transport *transport); /* tells the user, once */
/* Keeps what of bufs is left behind `sent` bytes for later. */
void transport__keep(struct transport *transport, const uv_buf_t *bufs, size_t count, size_t sent);
/* Writes of rest what goes, through the row's write; tells the user when it is out or broken. */
void transport__go_on(struct transport *transport, ssize_t (*write)(struct transport *, const uv_buf_t *, size_t));
#endif

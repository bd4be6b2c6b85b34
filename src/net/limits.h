/* limits.h -- the bounds of the network layer that clients meet, in one list. Sources where a service has its own. */
#ifndef CLOUDLESS_NET_LIMITS_H
#define CLOUDLESS_NET_LIMITS_H

#define NET_HEADER_BYTES_MAX (10u * 1024 + 8192)    /* request line and headers; API Gateway allows 10,240 of headers */
#define NET_HEADER_COUNT_MAX 128
#define NET_TARGET_BYTES_MAX 8192                   /* request line's target; longer: 414 */
#define NET_BODY_BYTES_MAX (70u << 20)              /* Lambda's CreateFunction: 50 MB zip as base64 in JSON; the largest of all */
#define NET_BODY_STREAM_MAX (5ull << 30)            /* S3: an object in one PUT, a part of a multipart upload: 5 GiB */
#define NET_PIECE_BYTES (64u << 10)                 /* of a body that passes by; at most two are held for each way */
#define NET_PIECE_LARGE_BYTES (512u << 10)          /* in HTTP/1.1, behind the first NET_PIECE_LARGE_FROM of a body */
#define NET_PIECE_LARGE_FROM (1u << 20)
#define NET_BODY_UNKNOWN_MAX (1u << 20)             /* a call whose headers do not say for which service it is */
#define NET_BODIES_BYTES_MAX (512u << 20)           /* bodies held at the same time by all connections; more: 503 */
#define NET_BODIES_ONLY_MAX (64u << 20) /* of them, by a listener on one loop; and those together never take the second half */
#define NET_CONNECTIONS_MAX 10000                   /* of a server; more are accepted and closed */
#define NET_CONNECTIONS_LAST 8 /* the last eighth of them is for addresses that have less than that: none has all */
#define NET_CONNECTIONS_ONLY_MAX 1024               /* of a listener on one loop (a sandbox: its processes' descriptors) */
#define NET_CONNECTIONS_INSIDE_MAX 4096             /* of all those listeners together */
#define NET_CONNECTIONS_FIRST 4 /* of each of them, whatever else its tenant has; the others share three quarters */
#define NET_TURN_INSIDE_US 1000 /* of a loop's millisecond or turn, for what comes through those listeners */
#define NET_FULL_TOLD_MS 60000                      /* that connections are refused is said at most so often */
#define NET_PIPELINE_MAX 16                         /* parsed requests waiting on a connection; more are left unread */
#define NET_H2_STREAMS_MAX 128                      /* of a connection with HTTP/2, at the same time; more: refused */
#define NET_H2_WINDOW_BYTES (256u << 10)            /* of bodies on a connection that nobody has taken yet; of a stream: 65,535 */
#define NET_H2_NOISE_MAX 500 /* frames that ask for work and bring nothing; more: ENHANCE_YOUR_CALM, closed */
#define NET_H2_NOISE_PER_S 100                      /* as many are let go of */
#define NET_IDLE_MS 75000                           /* between requests */
#define NET_REST_MS 1000                            /* between requests: then buffers are given back */
#define NET_HEADER_MS 20000                         /* from a request's first byte to the end of its headers: 408 */
#define NET_BODY_STALL_MS 20000                     /* without a byte of body: 408 */
#define NET_BODY_SLOW_BYTES (16u << 10)              /* or, of a body larger than this that is gathered, so many: 408 */
#define NET_WRITE_STALL_MS 30000                    /* a client that does not read: closed */
#define NET_LINGER_MS 2000 /* after a refusal: its unread input is thrown away so that the answer arrives */
#define NET_HANDSHAKE_MS 10000                      /* from the first byte of TLS to the end of its handshake */
#define NET_TLS_SILENT_BYTES_MAX (64u << 10)        /* of TLS without a byte of plain text among them; more: closed */
#define NET_TLS_FILE_BYTES_MAX (256u << 10)         /* of certificates, of a key */
#define NET_TLS_RELOAD_MS 1000                      /* between looks at these files */
#define NET_LANE_READ_THREADS 4                     /* lanes of workers, see net/worker.h; started when they are needed */
#define NET_LANE_SCAN_THREADS 4
#define NET_LANE_BODY_THREADS 4
#define NET_LANE_UNPACK_THREADS 2
#define NET_LANE_START_THREADS 4
#define NET_LANE_QUEUE_MAX 4096                     /* of each; more: ERR_BUSY, answered 503 */
#define NET_DRAIN_MS 30000                          /* after SIGTERM: running requests may end */
#endif

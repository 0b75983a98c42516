/* sink.c - a small SMTP sink for load tests (Linux, epoll, one thread).
 *
 *   cc -O2 -Wall -o sink sink.c
 *   cc -O2 -Wall -DTLS -o sink-tls sink.c -lssl -lcrypto
 *   ./sink -p 2525 [-d ms] [-P] [-B] [-4 n] [-5 n] [-M n] [-r file] [-o dir -k n] [-t pem]
 *
 *   -p port   listen on 127.0.0.1:port; 0: a free one, printed behind "ready"
 *   -t pem    implicit TLS, with the key and the certificate of that file (made with -DTLS)
 *   -d ms     delay line: every batch of replies leaves ms milliseconds after
 *             the input that caused it arrived (one round trip of latency);
 *             timers only, no CPU is burnt
 *   -P        do not advertise PIPELINING
 *   -B        do not advertise CHUNKING (BDAT)
 *   -4 n      every n-th RCPT is answered 450
 *   -5 n      every n-th RCPT is answered 550
 *   -M n      after n messages on one connection answer 421 and close
 *   -r file   log every accepted RCPT address, one a line
 *   -o dir -k n   keep the first n messages, as received, in dir/NNNNNN.eml
 *
 * Prints "ready PORT" when listening; on SIGTERM/SIGINT one JSON line of counters.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#ifdef TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

#define RBUF (256 * 1024)
#define LINEMAX 4096

enum { M_CMD, M_DATA, M_BDAT };

struct conn {
    int fd, used, mode, ds, closing;
    uint32_t gen;
    int mail, rcpts, bad;
    long msgs;
    long bdat_left;
    int bdat_last;
    char line[LINEMAX];
    int linelen;
    char out[16384];
    int outlen;
    FILE *cap;
#ifdef TLS
    SSL *ssl;
    int shaken;
#endif
};

struct dly {
    struct dly *next;
    uint64_t at;
    int slot;
    uint32_t gen;
    int closing, len;
    char data[];
};

static struct conn **tab;
static int ntab, freelist[65536], nfree;
static struct dly *qh, *qt;
static int ep, tfd;
static uint64_t delay_ns;
static int pipelining = 1, chunking = 1, f4, f5, maxmsgs, keep;
static char *capdir;
static FILE *rlog;
static uint64_t n_msg, n_bytes, n_conn, n_cmd, n_batch, n_rcpt, n_rej, n_unk, n_viol, n_read;
static int cur, maxcur;
#ifdef TLS
static SSL_CTX *tls;
#endif
static uint64_t t_first, t_last, t_firstmsg;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void drop(struct conn *c)
{
    epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, NULL);
#ifdef TLS
    if (c->ssl)
        SSL_free(c->ssl);
    c->ssl = NULL;
#endif
    close(c->fd);
    if (c->cap)
        fclose(c->cap);
    c->cap = NULL;
    c->used = 0;
    c->gen++;
    cur--;
}

/* As recv and send, of plaintext: -1 with EAGAIN where it would block. */
static ssize_t take(struct conn *c, char *buf, int len)
{
#ifdef TLS
    if (c->ssl) {
        ERR_clear_error();
        int k = SSL_read(c->ssl, buf, len);
        if (k > 0)
            return k;
        int why = SSL_get_error(c->ssl, k);
        errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
        return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
    }
#endif
    return recv(c->fd, buf, len, 0);
}

static ssize_t give(struct conn *c, const char *buf, int len)
{
#ifdef TLS
    if (c->ssl) {
        ERR_clear_error();
        int k = SSL_write(c->ssl, buf, len);
        if (k > 0)
            return k;
        int why = SSL_get_error(c->ssl, k);
        errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
        return -1;
    }
#endif
    return send(c->fd, buf, len, MSG_NOSIGNAL);
}

static void put(struct conn *c, const char *buf, int len)
{
    while (len > 0) {
        ssize_t k = give(c, buf, len);
        if (k < 0) {
            if (errno == EAGAIN) {
                struct pollfd p = { c->fd, POLLOUT, 0 };
                if (poll(&p, 1, 5000) <= 0)
                    return;
                continue;
            }
            return;
        }
        buf += k;
        len -= k;
    }
}

static void arm(void)
{
    struct itimerspec it = { 0 };
    if (qh) {
        it.it_value.tv_sec = qh->at / 1000000000ull;
        it.it_value.tv_nsec = qh->at % 1000000000ull;
    }
    timerfd_settime(tfd, TFD_TIMER_ABSTIME, &it, NULL);
}

static void flush_out(struct conn *c, int slot)
{
    if (c->outlen) {
        n_batch++;
        if (!delay_ns) {
            put(c, c->out, c->outlen);
        } else {
            struct dly *d = malloc(sizeof *d + c->outlen);
            d->next = NULL;
            d->at = now() + delay_ns;
            d->slot = slot;
            d->gen = c->gen;
            d->closing = c->closing;
            d->len = c->outlen;
            memcpy(d->data, c->out, c->outlen);
            if (qt)
                qt->next = d;
            else
                qh = d;
            int first = qh == d;
            qt = d;
            if (first)
                arm();
        }
        c->outlen = 0;
    }
    if (c->closing && !delay_ns)
        drop(c);
}

static void run_due(void)
{
    uint64_t t = now() + 20000; /* 20 us slack */
    while (qh && qh->at <= t) {
        struct dly *d = qh;
        qh = d->next;
        if (!qh)
            qt = NULL;
        struct conn *c = tab[d->slot];
        if (c->used && c->gen == d->gen) {
            put(c, d->data, d->len);
            if (d->closing) {
                drop(c);
                freelist[nfree++] = d->slot;
            }
        }
        free(d);
    }
    arm();
}

static void say(struct conn *c, const char *s)
{
    int l = strlen(s);
    if (c->outlen + l > (int)sizeof c->out)
        put(c, c->out, c->outlen), c->outlen = 0;
    memcpy(c->out + c->outlen, s, l);
    c->outlen += l;
}

static void msg_start(struct conn *c)
{
    if (capdir && (int)n_msg < keep && !c->cap) {
        char p[512];
        static int seq;
        if (seq >= keep)
            return;
        snprintf(p, sizeof p, "%s/%06d.eml", capdir, seq++);
        c->cap = fopen(p, "w");
    }
}

static void msg_done(struct conn *c)
{
    c->mail = c->rcpts = c->bad = 0;
    c->msgs++;
    n_msg++;
    t_last = now();
    if (!t_firstmsg)
        t_firstmsg = t_last;
    if (c->cap)
        fclose(c->cap);
    c->cap = NULL;
    say(c, "250 2.0.0 Ok: taken\r\n");
}

static void command(struct conn *c, int more)
{
    char *l = c->line;
    n_cmd++;
    if (more && !pipelining)
        n_viol++;
    if (!strncasecmp(l, "MAIL FROM:", 10)) {
        if (maxmsgs && c->msgs >= maxmsgs) {
            say(c, "421 4.7.0 too many messages on this connection\r\n");
            c->closing = 1;
            return;
        }
        if (c->mail) {
            n_rej++;
            say(c, "503 5.5.1 nested MAIL\r\n");
            return;
        }
        c->mail = 1;
        c->rcpts = 0;
        say(c, "250 2.1.0 Ok\r\n");
    } else if (!strncasecmp(l, "RCPT TO:", 8)) {
        if (!c->mail) {
            n_rej++;
            say(c, "503 5.5.1 need MAIL\r\n");
            return;
        }
        n_rcpt++;
        if (f5 && n_rcpt % f5 == 0) {
            n_rej++;
            say(c, "550 5.1.1 no such user\r\n");
        } else if (f4 && n_rcpt % f4 == 0) {
            n_rej++;
            say(c, "450 4.2.1 try later\r\n");
        } else {
            c->rcpts++;
            if (rlog) {
                char *a = strchr(l, '<'), *b = a ? strchr(a, '>') : NULL;
                if (b)
                    fprintf(rlog, "%.*s\n", (int)(b - a - 1), a + 1);
            }
            say(c, "250 2.1.5 Ok\r\n");
        }
    } else if (!strcasecmp(l, "DATA")) {
        if (!c->rcpts) {
            n_rej++;
            say(c, "503 5.5.1 need RCPT\r\n");
            return;
        }
        c->mode = M_DATA;
        c->ds = 2;
        msg_start(c);
        say(c, "354 go\r\n");
    } else if (!strncasecmp(l, "BDAT ", 5)) {
        char *e;
        c->bdat_left = strtol(l + 5, &e, 10);
        c->bdat_last = strcasestr(e, "LAST") != NULL;
        c->bad = !c->rcpts;
        c->mode = M_BDAT;
        if (!c->bad)
            msg_start(c);
    } else if (!strncasecmp(l, "EHLO", 4)) {
        c->mail = c->rcpts = 0;
        say(c, "250-sink.invalid\r\n");
        if (pipelining)
            say(c, "250-PIPELINING\r\n");
        if (chunking)
            say(c, "250-CHUNKING\r\n");
        say(c, "250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
               "250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n");
    } else if (!strncasecmp(l, "HELO", 4)) {
        say(c, "250 sink.invalid\r\n");
    } else if (!strcasecmp(l, "RSET")) {
        c->mail = c->rcpts = 0;
        say(c, "250 2.0.0 Ok\r\n");
    } else if (!strcasecmp(l, "NOOP")) {
        say(c, "250 2.0.0 Ok\r\n");
    } else if (!strcasecmp(l, "QUIT")) {
        say(c, "221 2.0.0 Bye\r\n");
        c->closing = 1;
    } else {
        n_unk++;
        say(c, "500 5.5.2 what?\r\n");
    }
}

static void bdat_end(struct conn *c)
{
    c->mode = M_CMD;
    if (c->bad) {
        n_rej++;
        say(c, "503 5.5.1 no valid recipients\r\n");
        if (c->bdat_last)
            c->mail = c->rcpts = c->bad = 0;
    } else if (c->bdat_last) {
        msg_done(c);
    } else {
        say(c, "250 2.0.0 chunk taken\r\n");
    }
}

static void feed(struct conn *c, char *p, char *e)
{
    while (p < e && !c->closing) {
        if (c->mode == M_CMD) {
            char *q = memchr(p, '\n', e - p);
            int n = (q ? q + 1 : e) - p;
            if (c->linelen + n >= LINEMAX)
                c->linelen = 0; /* silly line: throw it away */
            if (n < LINEMAX) {
                memcpy(c->line + c->linelen, p, n);
                c->linelen += n;
            }
            p += n;
            if (!q)
                return;
            while (c->linelen && (c->line[c->linelen - 1] == '\n' || c->line[c->linelen - 1] == '\r'))
                c->linelen--;
            c->line[c->linelen] = 0;
            c->linelen = 0;
            command(c, p < e);
            if (c->mode == M_BDAT && c->bdat_left == 0)
                bdat_end(c);
        } else if (c->mode == M_BDAT) {
            long n = e - p < c->bdat_left ? e - p : c->bdat_left;
            n_bytes += n;
            if (c->cap)
                fwrite(p, 1, n, c->cap);
            p += n;
            c->bdat_left -= n;
            if (!c->bdat_left)
                bdat_end(c);
        } else {
            char *s = p;
            int st = c->ds, done = 0;
            while (p < e) {
                if (st == 0) {
                    p = memchr(p, '\r', e - p);
                    if (!p) {
                        p = e;
                        break;
                    }
                    p++;
                    st = 1;
                    continue;
                }
                char ch = *p++;
                if (st == 1)
                    st = ch == '\n' ? 2 : ch == '\r' ? 1 : 0;
                else if (st == 2)
                    st = ch == '.' ? 3 : ch == '\r' ? 1 : 0;
                else if (st == 3)
                    st = ch == '\r' ? 4 : 0;
                else {
                    if (ch == '\n') {
                        done = 1;
                        break;
                    }
                    st = ch == '\r' ? 1 : 0;
                }
            }
            c->ds = st;
            n_bytes += p - s;
            if (c->cap)
                fwrite(s, 1, p - s, c->cap);
            if (done) {
                c->mode = M_CMD;
                msg_done(c);
            }
        }
    }
}

static void accept_all(int ls)
{
    for (;;) {
        int fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1, slot;
        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (nfree) {
            slot = freelist[--nfree];
        } else {
            if (ntab == 65536) {
                close(fd);
                return;
            }
            tab[ntab] = calloc(1, sizeof **tab);
            slot = ntab++;
        }
        struct conn *c = tab[slot];
        uint32_t g = c->gen + 1;
        memset(c, 0, sizeof *c);
        c->gen = g;
        c->fd = fd;
        c->used = 1;
        n_conn++;
        if (++cur > maxcur)
            maxcur = cur;
        if (!t_first)
            t_first = now();
        struct epoll_event ev = { .events = EPOLLIN, .data.u32 = slot };
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
#ifdef TLS
        if (tls) {
            c->ssl = SSL_new(tls);
            SSL_set_fd(c->ssl, fd);
            SSL_set_accept_state(c->ssl);
            continue;
        }
#endif
        say(c, "220 sink.invalid ESMTP\r\n");
        flush_out(c, slot);
    }
}

#ifdef TLS
/* Go on with the handshake; greet at its end. -1: it failed. */
static int shake(struct conn *c, int slot)
{
    ERR_clear_error();
    int k = SSL_do_handshake(c->ssl);
    if (k == 1) {
        c->shaken = 1;
        say(c, "220 sink.invalid ESMTP\r\n");
        flush_out(c, slot);
        return 0;
    }
    int why = SSL_get_error(c->ssl, k);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static int secure(const char *pem)
{
    tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_use_certificate_chain_file(tls, pem) == 1 &&
           SSL_CTX_use_PrivateKey_file(tls, pem, SSL_FILETYPE_PEM) == 1;
}
#endif

int main(int ac, char **av)
{
    int o, port = 2525, one = 1;
    while ((o = getopt(ac, av, "p:d:PB4:5:M:r:o:k:t:")) != -1) {
        switch (o) {
        case 'p': port = atoi(optarg); break;
        case 'd': delay_ns = (uint64_t)(atof(optarg) * 1e6); break;
        case 'P': pipelining = 0; break;
        case 'B': chunking = 0; break;
        case '4': f4 = atoi(optarg); break;
        case '5': f5 = atoi(optarg); break;
        case 'M': maxmsgs = atoi(optarg); break;
        case 'r': rlog = fopen(optarg, "w"); break;
        case 'o': capdir = optarg; break;
        case 'k': keep = atoi(optarg); break;
#ifdef TLS
        case 't':
            if (!secure(optarg)) {
                ERR_print_errors_fp(stderr);
                return 1;
            }
            break;
#endif
        default: return 2;
        }
    }
    tab = calloc(65536, sizeof *tab);
    int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(ls, (void *)&sa, sizeof sa) || listen(ls, 4096)) {
        perror("bind/listen");
        return 1;
    }
    sigset_t ss;
    sigemptyset(&ss);
    sigaddset(&ss, SIGTERM);
    sigaddset(&ss, SIGINT);
    sigprocmask(SIG_BLOCK, &ss, NULL);
    int sfd = signalfd(-1, &ss, SFD_CLOEXEC);
    tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = { .events = EPOLLIN };
    ev.data.u32 = 0xfffffff0u; epoll_ctl(ep, EPOLL_CTL_ADD, ls, &ev);
    ev.data.u32 = 0xfffffff1u; epoll_ctl(ep, EPOLL_CTL_ADD, sfd, &ev);
    ev.data.u32 = 0xfffffff2u; epoll_ctl(ep, EPOLL_CTL_ADD, tfd, &ev);
    socklen_t l = sizeof sa;
    getsockname(ls, (void *)&sa, &l);
    printf("ready %d\n", ntohs(sa.sin_port));
    fflush(stdout);
    static char buf[RBUF];
    struct epoll_event evs[256];
    for (;;) {
        int n = epoll_wait(ep, evs, 256, -1);
        for (int i = 0; i < n; i++) {
            uint32_t s = evs[i].data.u32;
            if (s == 0xfffffff0u) {
                accept_all(ls);
            } else if (s == 0xfffffff1u) {
                struct rusage r;
                getrusage(RUSAGE_SELF, &r);
                if (rlog)
                    fclose(rlog);
                printf("{\"messages\":%lu,\"bytes\":%lu,\"connections\":%lu,\"max_connections\":%d,"
                       "\"commands\":%lu,\"reply_batches\":%lu,\"reads\":%lu,\"rcpts\":%lu,"
                       "\"rejects\":%lu,\"unknown\":%lu,\"pipeline_violations\":%lu,"
                       "\"span_s\":%.6f,\"first_msg_s\":%.6f,\"cpu_s\":%.4f}\n",
                       n_msg, n_bytes, n_conn, maxcur, n_cmd, n_batch, n_read, n_rcpt, n_rej, n_unk,
                       n_viol, t_last > t_first ? (t_last - t_first) / 1e9 : 0.0,
                       t_firstmsg > t_first ? (t_firstmsg - t_first) / 1e9 : 0.0,
                       r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6);
                return 0;
            } else if (s == 0xfffffff2u) {
                uint64_t x;
                if (read(tfd, &x, sizeof x) < 0) { }
                run_due();
            } else {
                struct conn *c = tab[s];
                if (!c->used)
                    continue;
#ifdef TLS
                if (c->ssl && !c->shaken) {
                    if (shake(c, s) < 0) {
                        drop(c);
                        freelist[nfree++] = s;
                        continue;
                    }
                    if (!c->shaken)
                        continue;
                }
#endif
                /* A record at a time under TLS: what is left of what was read is no event. */
                int more = 0;
                do {
                    ssize_t k = take(c, buf, sizeof buf);
                    if (k < 0 && errno == EAGAIN)
                        break;
                    if (k <= 0) {
                        drop(c);
                        freelist[nfree++] = s;
                        more = 0;
                        break;
                    }
                    n_read++;
                    feed(c, buf, buf + k);
#ifdef TLS
                    more = c->ssl != NULL && !c->closing;
#endif
                } while (more);
                if (!c->used)
                    continue;
                flush_out(c, s);
                if (!c->used)
                    freelist[nfree++] = s;
            }
        }
    }
}

/* Drives the pump for the sanitizers (make sanitize): a provider that sends numbered chunks on many
 * lanes, clients that read them, an owner that sends lanes away and takes them home at any moment, each
 * a thread, and the pump's. Every client must get every number once and in order, and what the owner does to a lane
 * at home must never meet the thread. */
#include "pump.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LANES = 40 };

typedef struct line {
    pump_lane lane;
    h1_body body;
    int provider, client;
    int64_t seen, marks;   /* the meter: touched by whoever has the lane, with no lock of its own */
    int64_t got;           /* by the client */
    int away;
    char partial[64];
    size_t kept;
} line;

static line lines[LANES];
static int rounds;
static int complete; /* clients that have all; atomic */

static void fail(const char *what)
{
    fprintf(stderr, "stress_pump: %s\n", what);
    exit(1);
}

/* Every 64th piece is marked: it must come home. */
static int pass(void *meter, const uint8_t *p, size_t n, size_t *used)
{
    line *l = meter;
    (void)p;
    *used = n;
    l->seen++;
    if (l->seen % 64)
        return PUMP_PASSED;
    l->marks++;
    return 0;
}

static int64_t count(void *meter)
{
    return ((line *)meter)->seen;
}

static void send_all(int to, const char *p, size_t n)
{
    while (n) {
        ssize_t sent = send(to, p, n, MSG_NOSIGNAL);
        if (sent < 0)
            fail("a socket is gone");
        p += sent;
        n -= (size_t)sent;
    }
}

static void *provide(void *nothing)
{
    char text[64];
    for (int number = 0; number < rounds; number++) {
        for (int i = 0; i < LANES; i++) {
            int n = snprintf(text, sizeof text, "8\r\n%07d\n\r\n", number);
            send_all(lines[i].provider, text, (size_t)n);
        }
        if (number % 16 == 0)
            usleep(200);
    }
    return nothing;
}

/* The numbers of a body's bytes, in whatever chunks they came. */
static void take_bytes(line *l, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        l->partial[l->kept++] = p[i];
        if (p[i] != '\n' || l->kept < 8)
            continue;
        l->partial[l->kept - 1] = 0;
        if (atoll(l->partial + l->kept - 8) != l->got++)
            fail("a number is missing, twice, or out of order");
        l->kept = 0;
    }
}

static void read_client(line *l)
{
    char data[65536];
    ssize_t n = recv(l->client, data, sizeof data, MSG_DONTWAIT);
    size_t used, len = 0;
    static h1_body bodies[LANES];
    h1_body *body = &bodies[l - lines];
    if (body->state == H1_HEAD)
        body->state = H1_SIZE;
    for (size_t at = 0; n > 0 && at < (size_t)n; at += used) {
        used = h1_next(body, (uint8_t *)data + at, (size_t)n - at, &len);
        take_bytes(l, data + at + used - len, len);
    }
}

/* What the owner does with what a lane left: writes on, in order. */
static void settle(line *l)
{
    pump_lane *lane = &l->lane;
    char head[16];
    const char *left = (const char *)lane->left;
    if (lane->why == PUMP_LOST)
        fail("memory");
    if (lane->unsent)
        send_all(lane->to, left, lane->unsent);
    if (lane->piece) {
        int n = snprintf(head, sizeof head, "%zx\r\n", lane->piece);
        send_all(lane->to, head, (size_t)n);
        send_all(lane->to, left + lane->unsent, lane->piece);
        send_all(lane->to, "\r\n", 2);
    }
    for (size_t at = 0, used, len = 0; at < lane->rest; at += used) {
        const char *rest = left + lane->unsent + lane->piece + at;
        used = h1_next(&l->body, (const uint8_t *)rest, lane->rest - at, &len);
        if (len) {
            int n = snprintf(head, sizeof head, "%zx\r\n", len);
            l->seen++;
            send_all(lane->to, head, (size_t)n);
            send_all(lane->to, rest + used - len, len);
            send_all(lane->to, "\r\n", 2);
        }
    }
    pump_clear(lane);
}

static void begin(line *l)
{
    int up[2], down[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, up) || socketpair(AF_UNIX, SOCK_STREAM, 0, down))
        fail("no sockets");
    l->provider = up[0];
    l->client = down[1];
    l->body.state = H1_SIZE;
    l->lane = (pump_lane){.body = &l->body, .pass = pass, .count = count, .meter = l, .owner = l,
                          .from = up[1], .to = down[0], .elsewhere = -1, .stop_at = INT64_MAX};
}

static void *run(void *p)
{
    pump_run(p);
    return NULL;
}

static void *consume(void *nothing)
{
    int open = LANES;
    while (open) {
        open = 0;
        for (int i = 0; i < LANES; i++) {
            read_client(&lines[i]);
            open += lines[i].got < rounds;
        }
        __atomic_store_n(&complete, LANES - open, __ATOMIC_RELEASE);
    }
    return nothing;
}

static void own(pump_thread *p)
{
    unsigned seed = 1;
    while (__atomic_load_n(&complete, __ATOMIC_ACQUIRE) < LANES) {
        line *l = &lines[(unsigned)rand_r(&seed) % LANES];
        pump_lane *back;
        pump_enter(p);
        if (!l->away) {
            l->away = pump_add(p, &l->lane);
        } else if (rand_r(&seed) % 8 == 0) {
            pump_take(p, &l->lane);
            l->away = 0;
        } else { /* raise what it stops at, without the lock as owners do */
            int64_t counted = __atomic_load_n(&l->lane.counted, __ATOMIC_RELAXED);
            __atomic_store_n(&l->lane.stop_at, counted + 100, __ATOMIC_RELAXED);
        }
        back = pump_next(p);
        pump_leave(p);
        if (!l->away)
            settle(l);
        if (back) {
            ((line *)back->owner)->away = 0;
            settle(back->owner);
        }
    }
}

int main(int argc, char **argv)
{
    pthread_t pumping, providing, consuming;
    pump_thread *p = pump_open();
    rounds = argc > 1 ? atoi(argv[1]) : 2000;
    if (!p) {
        puts("stress_pump: there is no epoll here");
        return 0;
    }
    for (int i = 0; i < LANES; i++)
        begin(&lines[i]);
    pthread_create(&pumping, NULL, run, p);
    pthread_create(&providing, NULL, provide, NULL);
    pthread_create(&consuming, NULL, consume, NULL);
    own(p);
    pthread_join(providing, NULL);
    pthread_join(consuming, NULL);
    for (int i = 0; i < LANES; i++) {
        pump_enter(p);
        pump_take(p, &lines[i].lane);
        pump_leave(p);
        if (lines[i].seen != rounds)
            fail("the meter has not seen every piece once");
    }
    pump_stop(p);
    pthread_join(pumping, NULL);
    pump_close(p);
    printf("stress_pump: %d lanes, %d pieces each, nothing found\n", LANES, rounds);
    return 0;
}

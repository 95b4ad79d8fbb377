/* The thread that carries streams; see pump.h for what it promises. One lock guards everything: the
 * thread holds it for the turn of one lane, an owner for an entry in a table. Who wants it passes a
 * gate first, or the thread, which takes it again at once, would leave an owner waiting for long. */
#include "pump.h"

#ifdef __linux__

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOME, AWAY, RETURNED };
enum { EVENTS = 64, TURNS = 4, NO_SLOT = 0xFFFFFFFF };

/* Events name a lane by slot and generation: one that was fetched before its lane went home must
 * not find the lane that has the slot now. */
typedef struct slot {
    pump_lane *lane;
    uint32_t generation, next_free;
} slot;

struct pump_thread {
    pthread_mutex_t gate, lock;
    int epoll, wake, told;
    int stopping;
    slot *slots;
    uint32_t size, free;
    pump_lane *first, *last; /* those that came home of themselves */
    pump_room room;
};

int pump_try(pump_thread *p)
{
    if (pthread_mutex_trylock(&p->gate))
        return 0;
    if (pthread_mutex_trylock(&p->lock) == 0) {
        pthread_mutex_unlock(&p->gate);
        return 1;
    }
    pthread_mutex_unlock(&p->gate);
    return 0;
}

void pump_enter(pump_thread *p)
{
    pthread_mutex_lock(&p->gate);
    pthread_mutex_lock(&p->lock);
    pthread_mutex_unlock(&p->gate);
}

void pump_leave(pump_thread *p)
{
    pthread_mutex_unlock(&p->lock);
}

/* --- lanes that go and come --------------------------------------------------------------------- */

/* Edges, not levels: a level is looked at once more by the kernel after every read. */
static int watch(pump_thread *p, int operation, int descriptor, uint64_t name)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = name};
    return epoll_ctl(p->epoll, operation, descriptor, &event) == 0;
}

static int find_slot(pump_thread *p)
{
    slot *grown;
    uint32_t size = p->size ? p->size * 2 : 64;
    if (p->free != NO_SLOT)
        return 1;
    grown = realloc(p->slots, size * sizeof *grown);
    if (!grown)
        return 0;
    for (uint32_t i = p->size; i < size; i++)
        grown[i] = (slot){.next_free = i + 1 < size ? i + 1 : NO_SLOT};
    p->slots = grown;
    p->free = p->size;
    p->size = size;
    return 1;
}

/* The lane's sockets are no longer this thread's. */
static void unhook(pump_thread *p, pump_lane *lane)
{
    slot *s = &p->slots[lane->slot];
    epoll_ctl(p->epoll, EPOLL_CTL_DEL, lane->from, NULL);
    s->lane = NULL;
    s->generation++;
    s->next_free = p->free;
    p->free = lane->slot;
}

static void come_home(pump_thread *p, pump_lane *lane, pump_why why)
{
    unhook(p, lane);
    lane->where = RETURNED;
    lane->why = why;
    lane->next = NULL;
    lane->before = p->last;
    *(p->last ? &p->last->next : &p->first) = lane;
    p->last = lane;
}

static void unlist(pump_thread *p, pump_lane *lane)
{
    *(lane->before ? &lane->before->next : &p->first) = lane->next;
    *(lane->next ? &lane->next->before : &p->last) = lane->before;
}

/* Linux acknowledges each small piece as it is read: a packet of its own, for which this thread pays.
 * As an interactive connection (tcp(7), TCP_QUICKACK 0) it acknowledges every second piece, and each
 * one again after the second was 40 ms late: a provider that waits for it (Nagle) is late once. */
static void acknowledge_rarely(int from)
{
    const int no = 0;
    setsockopt(from, IPPROTO_TCP, TCP_QUICKACK, &no, sizeof no); /* no TCP: nothing to save */
}

int pump_add(pump_thread *p, pump_lane *lane)
{
    slot *s;
    if (p->stopping || !find_slot(p))
        return 0;
    s = &p->slots[p->free];
    lane->slot = p->free;
    if (!watch(p, EPOLL_CTL_ADD, lane->from, (uint64_t)s->generation << 32 | lane->slot))
        return 0;
    if (lane->elsewhere >= 0)
        epoll_ctl(lane->elsewhere, EPOLL_CTL_DEL, lane->from, NULL);
    acknowledge_rarely(lane->from);
    p->free = s->next_free;
    s->lane = lane;
    lane->where = AWAY;
    return 1;
}

void pump_take(pump_thread *p, pump_lane *lane)
{
    if (lane->where == AWAY) {
        unhook(p, lane);
        lane->why = PUMP_TAKEN;
    } else if (lane->where == RETURNED) {
        unlist(p, lane);
    }
    lane->where = HOME;
}

pump_lane *pump_next(pump_thread *p)
{
    pump_lane *lane = p->first;
    uint64_t count;
    if (lane) {
        unlist(p, lane);
        lane->where = HOME;
    } else {
        (void)!read(p->told, &count, sizeof count);
    }
    return lane;
}

/* --- the thread --------------------------------------------------------------------------------- */

pump_thread *pump_open(void)
{
    pump_thread *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->free = NO_SLOT;
    if (p->epoll >= 0 && p->wake >= 0 && p->told >= 0 && watch(p, EPOLL_CTL_ADD, p->wake, UINT64_MAX)
        && pthread_mutex_init(&p->gate, NULL) == 0 && pthread_mutex_init(&p->lock, NULL) == 0)
        return p;
    pump_close(p);
    return NULL;
}

void pump_close(pump_thread *p)
{
    int opened[] = {p->epoll, p->wake, p->told};
    for (int i = 0; i < 3; i++)
        if (opened[i] >= 0)
            close(opened[i]);
    free(p->slots);
    free(p);
}

/* Reads until nothing is left: a short read says so, but not of an end that came with it. */
static pump_why drain(pump_thread *p, pump_lane *lane, uint32_t events, uint64_t name)
{
    const uint32_t ends = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    pump_why why;
    size_t size;
    int turns = 0;
    do {
        why = pump_turn(lane, &p->room, &size);
        if (why == PUMP_ON && size == PUMP_READ_MAX && ++turns == TURNS) {
            /* Others first; it is told of again. */
            return watch(p, EPOLL_CTL_MOD, lane->from, name) ? PUMP_ON : PUMP_CLOSED;
        }
    } while (why == PUMP_ON && size && (size == PUMP_READ_MAX || (events & ends)));
    return why;
}

/* One event. Owners are told after the lock is free, or the first thing they met would be a wait. */
static void serve(pump_thread *p, uint32_t events, uint64_t name)
{
    slot *s;
    uint64_t one = 1;
    int tell = 0;
    pump_enter(p);
    s = &p->slots[(uint32_t)name];
    if (s->lane && s->generation == (uint32_t)(name >> 32)) {
        pump_why why = drain(p, s->lane, events, name);
        if (why != PUMP_ON) {
            tell = p->first == NULL;
            come_home(p, s->lane, why);
        }
    }
    pump_leave(p);
    if (tell)
        (void)!write(p->told, &one, sizeof one); /* cannot fail: its count is far from full */
}

void pump_run(pump_thread *p)
{
    struct epoll_event events[EVENTS];
    int stopping = 0; /* the wake is for nothing else */
    while (!stopping) {
        int n = epoll_wait(p->epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == UINT64_MAX)
                stopping = 1;
            else
                serve(p, events[i].events, events[i].data.u64);
        }
    }
}

void pump_stop(pump_thread *p)
{
    uint64_t one = 1;
    pump_enter(p);
    p->stopping = 1;
    pump_leave(p);
    (void)!write(p->wake, &one, sizeof one);
}

int pump_descriptor(const pump_thread *p)
{
    return p->told;
}

#else

pump_thread *pump_open(void) { return 0; }
void pump_close(pump_thread *p) { (void)p; }
void pump_run(pump_thread *p) { (void)p; }
void pump_stop(pump_thread *p) { (void)p; }
int pump_descriptor(const pump_thread *p) { (void)p; return -1; }
int pump_try(pump_thread *p) { (void)p; return 1; }
void pump_enter(pump_thread *p) { (void)p; }
void pump_leave(pump_thread *p) { (void)p; }
int pump_add(pump_thread *p, pump_lane *lane) { (void)p; (void)lane; return 0; }
void pump_take(pump_thread *p, pump_lane *lane) { (void)p; (void)lane; }
pump_lane *pump_next(pump_thread *p) { (void)p; return 0; }

#endif

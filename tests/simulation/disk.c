/* A disk that a test can unplug: preloaded, it journals what a process does to one folder's files.
 *
 * Every write, truncation, deletion and sync below DISK_FOLDER, and every line the process says on
 * its stdout, becomes a record of DISK_JOURNAL in the order it happened; tests/simulation/disk.py
 * rebuilds from them what a power cut at any record may leave. With DISK_FAILS, that many of a
 * thousand syncs, and of fifty thousand writes, fail with EIO, from the first line of stdout on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FDS = 4096, FILES = 250, NAME = 512 };

struct record {
    uint8_t what; /* o(pen), w(rite), s(ync), f(ailed sync), t(runcate), u(nlink), a(cknowledged) */
    uint8_t file;
    uint8_t unused[2];
    uint32_t length;
    uint64_t offset;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static char folder[NAME];
static char names[FILES][NAME];
static int count;
static uint8_t of_fd[FDS]; /* a file's number and one; 0: none of ours */
static unsigned fails, seed = 1;
static int began;

static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_close)(int);
static int (*real_ftruncate)(int, off64_t), (*real_unlink)(const char *);
static int (*real_open)(const char *, int, ...);

__attribute__((constructor)) static void start(void)
{
    const char *where = getenv("DISK_FOLDER"), *to = getenv("DISK_JOURNAL");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_close = dlsym(RTLD_NEXT, "close");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_open = dlsym(RTLD_NEXT, "open64");
    if (where == NULL || to == NULL)
        return;
    strncpy(folder, where, NAME - 1);
    fails = (unsigned)atoi(getenv("DISK_FAILS") ? getenv("DISK_FAILS") : "0");
    seed = (unsigned)atoi(getenv("DISK_SEED") ? getenv("DISK_SEED") : "1");
    journal = real_open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void note(uint8_t what, uint8_t file, uint64_t offset, const void *data, size_t length)
{
    struct record head = {what, file, {0, 0}, (uint32_t)length, offset};
    if (real_write(journal, &head, sizeof head) != sizeof head ||
        (length && real_write(journal, data, length) != (ssize_t)length))
        abort();
}

static int ours(int fd)
{
    return journal >= 0 && fd >= 0 && fd < FDS && of_fd[fd] ? of_fd[fd] : 0;
}

static int failing(unsigned per_50_thousand)
{
    return fails && began && (unsigned)rand_r(&seed) % 50000 < fails * per_50_thousand;
}

static int number_of(const char *path) /* a file's number and one; a new one is noted */
{
    const char *name;
    int i;
    if (journal < 0 || strncmp(path, folder, strlen(folder)) || path[strlen(folder)] != '/')
        return 0;
    name = path + strlen(folder) + 1;
    for (i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return i + 1;
    if (count == FILES)
        abort();
    strncpy(names[count], name, NAME - 1);
    note('o', (uint8_t)count, 0, name, strlen(name));
    return ++count;
}

static int opened(const char *path, int flags, mode_t mode)
{
    int fd = real_open(path, flags, mode);
    if (fd >= 0 && fd < FDS) {
        pthread_mutex_lock(&lock);
        of_fd[fd] = (flags & O_ACCMODE) == O_RDONLY ? 0 : (uint8_t)number_of(path);
        if (of_fd[fd] && flags & O_TRUNC)
            note('t', of_fd[fd] - 1, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return fd;
}

static mode_t mode_of(int flags, va_list more)
{
    return flags & O_CREAT ? (mode_t)va_arg(more, int) : 0;
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    mode_t mode;
    va_start(more, flags);
    mode = mode_of(flags, more);
    va_end(more);
    return opened(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    mode_t mode;
    va_start(more, flags);
    mode = mode_of(flags, more);
    va_end(more);
    return opened(path, flags, mode);
}

int close(int fd)
{
    if (fd >= 0 && fd < FDS)
        of_fd[fd] = 0;
    return real_close(fd);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at)
{
    ssize_t done;
    int file = ours(fd);
    if (!file)
        return real_pwrite(fd, data, length, at);
    pthread_mutex_lock(&lock);
    if (failing(1)) {
        pthread_mutex_unlock(&lock);
        errno = EIO;
        return -1;
    }
    done = real_pwrite(fd, data, length, at);
    if (done > 0)
        note('w', (uint8_t)(file - 1), (uint64_t)at, data, (size_t)done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at)
{
    return pwrite64(fd, data, length, at);
}

ssize_t write(int fd, const void *data, size_t length)
{
    off64_t at;
    if (fd == 1 && journal >= 0) { /* said no earlier than this: what it tells was promised */
        pthread_mutex_lock(&lock);
        began = 1;
        note('a', 0, 0, data, length);
        pthread_mutex_unlock(&lock);
    }
    if (!ours(fd))
        return real_write(fd, data, length);
    at = lseek64(fd, 0, SEEK_CUR);
    if (pwrite64(fd, data, length, at) != (ssize_t)length)
        return -1;
    lseek64(fd, at + (off64_t)length, SEEK_SET);
    return (ssize_t)length;
}

static int synced(int fd, int (*real)(int))
{
    int file = ours(fd), failed;
    if (!file)
        return real(fd);
    pthread_mutex_lock(&lock);
    failed = failing(50);
    note(failed ? 'f' : 's', (uint8_t)(file - 1), 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    if (failed)
        errno = EIO;
    return failed ? -1 : 0; /* the journal is the disk: nothing need really be synced */
}

int fsync(int fd)
{
    return synced(fd, real_fsync);
}

int fdatasync(int fd)
{
    return synced(fd, real_fdatasync);
}

int ftruncate64(int fd, off64_t size)
{
    int file = ours(fd);
    if (file) {
        pthread_mutex_lock(&lock);
        note('t', (uint8_t)(file - 1), (uint64_t)size, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return real_ftruncate(fd, size);
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

int unlink(const char *path)
{
    int file;
    pthread_mutex_lock(&lock);
    file = number_of(path);
    if (file)
        note('u', (uint8_t)(file - 1), 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return real_unlink(path);
}

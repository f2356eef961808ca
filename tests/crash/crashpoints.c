/* Counts what a process does to files, and kills it at the n-th: a write half done, a flush not
 * begun. Loaded with LD_PRELOAD; armed from within by crash_arm(). Built by tests/crash. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long left = -1;
static atomic_long counted = 0;
static int report = -1;
static int rare = 0;

/* With `only_rare` writes to the database's log, which are most of all, do not count. */
void crash_arm(long at, int fd, int only_rare) {
    report = fd; rare = only_rare; counted = 0; left = at;
}
long crash_disarm(void) { left = -1; return counted; }

static const char *name_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    path[length > 0 ? length : 0] = 0;
    const char *name = strrchr(path, '/');
    return name ? name + 1 : path;
}

static int is_file(int fd) {
    struct stat found;
    char path[512];
    if (left < 0 || fstat(fd, &found) || !S_ISREG(found.st_mode)) return 0;
    return !rare || !strstr(name_of(fd, path, sizeof path), "sqlite");
}

static int is_last(void) {
    if (left < 0) return 0;
    counted++;
    return atomic_fetch_sub(&left, 1) == 0;
}

static void die(const char *kind, int fd) {
    char path[512], said[640];
    int size = snprintf(said, sizeof said, "died %s %s\n", kind, name_of(fd, path, sizeof path));
    ssize_t (*plain)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (report >= 0) plain(report, said, size);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

ssize_t write(int fd, const void *from, size_t size) {
    ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (is_file(fd) && is_last()) { next(fd, from, size / 2); die("write", fd); }
    return next(fd, from, size);
}

ssize_t pwrite(int fd, const void *from, size_t size, off_t at) {
    ssize_t (*next)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    if (is_file(fd) && is_last()) { next(fd, from, size / 2, at); die("pwrite", fd); }
    return next(fd, from, size, at);
}

ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) {
    ssize_t (*next)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    if (is_file(fd) && is_last()) { next(fd, from, size / 2, at); die("pwrite", fd); }
    return next(fd, from, size, at);
}

int fsync(int fd) {
    int (*next)(int) = dlsym(RTLD_NEXT, "fsync");
    if (is_last()) die("fsync", fd);
    return next(fd);
}

int fdatasync(int fd) {
    int (*next)(int) = dlsym(RTLD_NEXT, "fdatasync");
    if (is_last()) die("fdatasync", fd);
    return next(fd);
}

int rename(const char *from, const char *to) {
    int (*next)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    if (is_last()) die("rename", open(to, O_RDONLY | O_CLOEXEC));
    return next(from, to);
}

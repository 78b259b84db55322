/* A wall clock of its own for one process (LD_PRELOAD): the true one plus the seconds in the file WALL_CLOCK_FILE.
   The clock that only goes forward stays true. As with a real clock that is set, waits for a time of the wall clock
   end when the clock shows that time. For 64-bit Linux with glibc 2.30 or newer. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 20000000
#define OLDEST_WALL_TIME 1000000000 /* 2001: a smaller number counts from the start of the machine */

static volatile long long *ahead; /* the file, mapped: a jump is seen at once */

__attribute__((constructor)) static void open_clock(void) {
    int file = open(getenv("WALL_CLOCK_FILE"), O_RDONLY);
    void *map = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) abort();
    close(file);
    ahead = map;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    long done = syscall(SYS_clock_gettime, clock, now);
    if (ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
    return (int)done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *copy) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (copy) *copy = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    clock_gettime(CLOCK_REALTIME, now);
    return base;
}

/* A wait looks at the clock between short waits. What is signalled just then would reach nobody, so signals are counted,
   by condition or a few of them together; whoever waits with a count that changed is woken. */
static atomic_uint signals[1024];

static atomic_uint *signals_of(const void *condition) {
    return &signals[(uintptr_t)condition / 16 % (sizeof signals / sizeof *signals)];
}

static int (*true_signal)(cnd_t *), (*true_broadcast)(cnd_t *);

__attribute__((constructor)) static void find_signals(void) { /* of these names there is one version each */
    true_signal = (int (*)(cnd_t *))dlsym(RTLD_NEXT, "cnd_signal");
    true_broadcast = (int (*)(cnd_t *))dlsym(RTLD_NEXT, "cnd_broadcast");
    if (!true_signal || !true_broadcast) abort();
}

int cnd_signal(cnd_t *condition) {
    atomic_fetch_add(signals_of(condition), 1);
    return true_signal(condition);
}

int cnd_broadcast(cnd_t *condition) {
    atomic_fetch_add(signals_of(condition), 1);
    return true_broadcast(condition);
}

/* In glibc the types of threads.h are those of pthread.h. librdkafka uses the others. */
int pthread_cond_signal(pthread_cond_t *condition) { return cnd_signal((cnd_t *)condition) == thrd_success ? 0 : EINVAL; }

int pthread_cond_broadcast(pthread_cond_t *condition) {
    return cnd_broadcast((cnd_t *)condition) == thrd_success ? 0 : EINVAL;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    if (until->tv_sec < OLDEST_WALL_TIME) return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, until);
    atomic_uint *signalled = signals_of(condition);
    unsigned before = *signalled;
    for (;;) {
        struct timespec now, look;
        clock_gettime(CLOCK_REALTIME, &now);
        long long left = (until->tv_sec - now.tv_sec) * 1000000000LL + until->tv_nsec - now.tv_nsec;
        if (left < 0) left = 0;
        clock_gettime(CLOCK_MONOTONIC, &look);
        look.tv_nsec += left < LOOK_NS ? left : LOOK_NS;
        if (look.tv_nsec >= 1000000000) {
            look.tv_sec += 1;
            look.tv_nsec -= 1000000000;
        }
        int done = pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &look);
        if (done != ETIMEDOUT || left < LOOK_NS) return done;
        if (*signalled != before) return 0; /* for nothing, perhaps, which every waiter stands */
    }
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    switch (pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until)) {
        case 0: return thrd_success;
        case ETIMEDOUT: return thrd_timedout;
        default: return thrd_error;
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * loop/test_capacity.c - the monitor of wspool/capacity.h on real sockets, with samples of this
 * machine: open files and processor time are really used up.
 *
 * What samples mean is tested in unit/test_capacity.c and sim/test_capacity.c.
 */
#define CLIENTS 32
#include "on_epoll.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <wspool/capacity.h>

#define INTERVAL (50 * WSPOOL_MILLISECOND)
#define PATIENCE (20 * WSPOOL_SECOND)

static wspool_capacity *monitor;

static net_client *begin(struct host *host, const wspool_capacity_config *config)
{
    host_init(host);
    host_start(host);
    assert_int_equal(wspool_capacity_new(&monitor, config), 0);
    assert_int_equal(wspool_capacity_attach(monitor, host->pool, wspool_clock()), 0);
    return host_client(host, "/echo");
}

static void end(struct host *host)
{
    host_end(host);
    wspool_capacity_free(monitor);
}

/* Returns 1 if that resource is above its limit within a while. */
static int becomes(struct host *host, enum wspool_resource resource, int above)
{
    wspool_capacity_state state = {.size = sizeof state};
    const uint64_t patience = wspool_clock() + PATIENCE;
    do {
        host_turn(host);
        assert_int_equal(wspool_capacity_get(monitor, &state), 0);
    } while ((int)(state.above >> resource & 1u) != above && wspool_clock() < patience);
    return (int)(state.above >> resource & 1u) == above;
}

static void is_served(struct host *host, net_client *client)
{
    const size_t before = client->in.messages;
    net_client_text(client, "hello", 5);
    UNTIL(host, client->in.messages == before + 1);
}

static net_client *newcomer(struct host *host)
{
    net_client *client = &host->clients[host->count++];
    net_client_connect(client, host->port, 0);
    net_client_request(client, "/echo");
    UNTIL(host, client->in.status != 0);
    return client;
}

TEST(used_up_files_refuse_newcomers_and_not_members)
{
    struct host host;
    struct rlimit old, limit;
    enum { FILES = 60 }; /* so that some are left at 90 % */
    int files[FILES];
    wspool_capacity_config config;
    wspool_capacity_state state = {.size = sizeof state};
    wspool_capacity_config_init(&config);
    config.interval = INTERVAL;
    config.cpu_percent = config.memory_percent = 100; /* those of this machine do not matter */
    net_client *member = begin(&host, &config);
    for (int i = 0; i < FILES; i++)
        assert_true((files[i] = dup(0)) >= 0);
    assert_true(becomes(&host, WSPOOL_RESOURCE_FILES, 0));
    assert_int_equal(newcomer(&host)->in.status, 101);
    for (uint64_t until = wspool_clock() + 2 * INTERVAL; wspool_clock() < until;)
        host_turn(&host);
    assert_int_equal(wspool_capacity_get(monitor, &state), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    limit.rlim_cur = (rlim_t)(state.sample.of[WSPOOL_RESOURCE_FILES].used * 100 / 90);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(becomes(&host, WSPOOL_RESOURCE_FILES, 1));
    assert_int_equal(newcomer(&host)->in.status, 503);
    is_served(&host, member);
    assert_int_equal(net_stats(host.pool).refused[WSPOOL_REFUSED_CAPACITY_FILES], 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_true(becomes(&host, WSPOOL_RESOURCE_FILES, 0));
    assert_int_equal(newcomer(&host)->in.status, 101);
    for (int i = 0; i < FILES; i++)
        close(files[i]);
    end(&host);
}

static atomic_int spins;

static void *spin(void *unused)
{
    (void)unused;
    while (atomic_load_explicit(&spins, memory_order_relaxed)) {
    }
    return NULL;
}

/* That all is well again is not waited for: other programs may have the processors. */
TEST(busy_processors_refuse_newcomers_and_not_members)
{
    struct host host;
    pthread_t threads[64];
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const int count = processors < 64 ? (int)processors : 64;
    wspool_capacity_config config;
    wspool_capacity_config_init(&config);
    config.interval = INTERVAL;
    config.memory_percent = config.files_percent = 100;
    config.cpu_percent = 60;
    net_client *member = begin(&host, &config);
    atomic_store(&spins, 1);
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spin, NULL), 0);
    assert_true(becomes(&host, WSPOOL_RESOURCE_CPU, 1));
    const net_client *refused = newcomer(&host);
    is_served(&host, member);
    assert_int_equal(HOST_STAT(&host, turned_away), 0);
    atomic_store(&spins, 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(refused->in.status, 503);
    assert_int_equal(net_stats(host.pool).refused[WSPOOL_REFUSED_CAPACITY_CPU], 1);
    end(&host);
}

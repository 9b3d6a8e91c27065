/* SPDX-License-Identifier: MIT */
/* hostile/load/watch.c - the server from outside: /proc, and sock_diag, which `ss -tm` asks too. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* From linux/sock_diag.h, as indices of INET_DIAG_SKMEMINFO. */
enum { SEND_QUEUED = SK_MEMINFO_WMEM_QUEUED };

static unsigned descriptors(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    if (!folder) {
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        count += entry->d_name[0] != '.';
    }
    closedir(folder);
    return count;
}

static uint64_t rss(pid_t pid)
{
    char path[64];
    unsigned long size = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%lu %lu", &size, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_socket(const struct nlmsghdr *head, unsigned port, struct watched *out)
{
    const struct inet_diag_msg *socket = NLMSG_DATA(head);
    const uint8_t *at = (const uint8_t *)(socket + 1);
    const uint8_t *const end = (const uint8_t *)head + head->nlmsg_len;
    if (ntohs(socket->id.idiag_sport) != port) {
        return;
    }
    out->sockets++;
    while (at + sizeof(struct rtattr) <= end) {
        const struct rtattr *attribute = (const void *)at;
        if (attribute->rta_type == INET_DIAG_SKMEMINFO &&
            RTA_PAYLOAD(attribute) > SEND_QUEUED * sizeof(uint32_t)) {
            const uint32_t *memory = RTA_DATA(attribute);
            out->send += memory[SEND_QUEUED];
            out->largest = memory[SEND_QUEUED] > out->largest ? memory[SEND_QUEUED] : out->largest;
        }
        at += RTA_ALIGN(attribute->rta_len);
    }
}

static void kernel_memory(unsigned port, struct watched *out)
{
    static int netlink = -1;
    static uint64_t room[8192];
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 request;
    } ask = {.head = {.nlmsg_len = sizeof ask,
                      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
             .request = {.sdiag_family = AF_INET,
                         .sdiag_protocol = IPPROTO_TCP,
                         .idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1),
                         .idiag_states = ~0u,
                         .id.idiag_sport = htons((uint16_t)port)}};
    if (netlink < 0) {
        netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    }
    if (netlink < 0 || send(netlink, &ask, sizeof ask, 0) < 0) {
        fail("sock_diag");
    }
    for (;;) {
        ssize_t n = recv(netlink, room, sizeof room, 0);
        if (n <= 0) {
            fail("sock_diag");
        }
        size_t left = (size_t)n;
        for (const struct nlmsghdr *head = (const void *)room; NLMSG_OK(head, left);
             head = NLMSG_NEXT(head, left)) {
            if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR) {
                return;
            }
            add_socket(head, port, out);
        }
    }
}

int watch(pid_t pid, unsigned port, struct watched *out)
{
    *out = (struct watched){.descriptors = descriptors(pid), .rss = rss(pid)};
    if (out->descriptors == 0) {
        return -1;
    }
    kernel_memory(port, out);
    return 0;
}

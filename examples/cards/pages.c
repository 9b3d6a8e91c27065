/* SPDX-License-Identifier: MIT */
/*
 * pages.c - see pages.h.
 *
 * A path is taken literally. Its segments have letters, digits, "-", "_" and "." only, and none
 * begins with a dot. So a path cannot lead out of the directory, and no hidden file is served.
 */
#define _GNU_SOURCE
#include "pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Only our own scripts, styles and pictures; sockets only to the page's own host and port. */
static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; "
                             "img-src 'self'; connect-src 'self'; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'";

static const struct kind {
    const char *ending;
    const char *type;
} kinds[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {NULL, NULL},
};

static const char *type_of(const char *name)
{
    const char *ending = strrchr(name, '.');
    const struct kind *kind = kinds;
    while (ending && kind->ending && strcmp(kind->ending, ending) != 0) {
        kind++;
    }
    return ending ? kind->type : NULL;
}

static int is_plain(const char *path)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len;
    do {
        len = strspn(path, letters);
        if (len == 0 || path[0] == '.') {
            return 0;
        }
        path += len;
    } while (*path++ == '/');
    return path[-1] == '\0';
}

/* Opens the file that a path names. Returns its descriptor and type, or -1. */
static int open_page(const struct app *app, const struct request *request, struct stat *about,
                     const char **type)
{
    char path[256];
    int fd;

    if (app->web < 0 || request->path_len >= sizeof(path) || request->path[0] != '/') {
        return -1;
    }
    memcpy(path, request->path, request->path_len);
    path[request->path_len] = '\0';
    if (strcmp(path, "/") == 0) {
        strcpy(path, "/index.html");
    }
    *type = type_of(path);
    if (!*type || !is_plain(path + 1)) {
        return -1;
    }
    fd = openat(app->web, path + 1, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, about) < 0 || !S_ISREG(about->st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

enum MHD_Result pages_answer(struct app *app, struct request *request)
{
    const char *type, *have = http_header(request, "If-None-Match");
    struct MHD_Response *response;
    unsigned status = MHD_HTTP_OK;
    struct stat about;
    char tag[64];
    int fd = open_page(app, request, &about, &type);

    if (fd < 0) {
        return http_error(request, MHD_HTTP_NOT_FOUND, "not_found");
    }
    snprintf(tag, sizeof(tag), "\"%llx-%lx-%llx\"", (unsigned long long)about.st_mtim.tv_sec,
             (unsigned long)about.st_mtim.tv_nsec, (unsigned long long)about.st_size);
    if (have && strstr(have, tag)) {
        close(fd);
        status = MHD_HTTP_NOT_MODIFIED;
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    } else {
        response = MHD_create_response_from_fd64((uint64_t)about.st_size, fd); /* takes over the
                                                                                  descriptor */
    }
    if (response) {
        MHD_add_response_header(response, "Content-Type", type);
        MHD_add_response_header(response, "ETag", tag);
        MHD_add_response_header(response, "Cache-Control", "no-cache"); /* the browser must
                                                                           revalidate */
        MHD_add_response_header(response, "Content-Security-Policy", policy);
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    }
    return http_send(request, status, response);
}

// For tests, preloaded into a process: stops it with SIGSTOP at a call that publishes a file, once for each request. A
// request is a file before-sync, before-link, before-rename or after-rename in the directory $STALL_REQUESTS; it is
// removed when it is served. Links and renames count only if they make a file whose name ends in .json.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void stall(const char* where) {
  int error = errno;
  char path[4096];
  const char* requests = getenv("STALL_REQUESTS");
  if (requests && snprintf(path, sizeof path, "%s/%s", requests, where) < (int)sizeof path && unlink(path) == 0)
    kill(getpid(), SIGSTOP);
  errno = error;
}

static int is_json(const char* path) {
  size_t size = strlen(path);
  return size > 5 && strcmp(path + size - 5, ".json") == 0;
}

int fsync(int fd) {
  stall("before-sync");
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int link(const char* from, const char* to) {
  if (is_json(to)) stall("before-link");
  return ((int (*)(const char*, const char*))dlsym(RTLD_NEXT, "link"))(from, to);
}

int rename(const char* from, const char* to) {
  if (is_json(to)) stall("before-rename");
  int result = ((int (*)(const char*, const char*))dlsym(RTLD_NEXT, "rename"))(from, to);
  if (is_json(to)) stall("after-rename");
  return result;
}

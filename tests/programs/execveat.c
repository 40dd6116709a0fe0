// Starts itself once in each way that execveat knows; each becomes a chdir to /execveat/WAY. Two more fail.
//
// usage: execveat FOLDER: it is started as FOLDER/sub/program
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *ways[] = {"descriptor", "directory", "current", "absolute", "memory", "absent", "closed", NULL};

static void become(int way, const char *folder) {
    char *arguments[] = {"tracer-execveat", "end", (char *)ways[way], NULL}, *environment[] = {"A=b", NULL};
    char path[4096];
    snprintf(path, sizeof path, "%s/sub/program", folder);
    // At known numbers, since the kernel makes names of them.
    int self = fcntl(open(path, O_RDONLY), F_DUPFD_CLOEXEC, 50);
    int directory = fcntl(open(folder, O_PATH | O_DIRECTORY), F_DUPFD_CLOEXEC, 60);
    int memory = fcntl(memfd_create("scratch", 0), F_DUPFD_CLOEXEC, 70);
    struct stat facts;
    if (fstat(self, &facts) != 0 || sendfile(memory, self, NULL, facts.st_size) != facts.st_size) return;
    switch (way) {
    case 0: fexecve(self, arguments, environment); return;
    case 1: syscall(SYS_execveat, directory, "sub/program", arguments, environment, 0); return;
    case 2: syscall(SYS_execveat, AT_FDCWD, "sub/program", arguments, environment, 0); return;
    case 3: syscall(SYS_execveat, directory, path, arguments, environment, 0); return;
    case 4: syscall(SYS_execveat, memory, "", arguments, environment, AT_EMPTY_PATH); return;
    case 5: syscall(SYS_execveat, directory, "sub/absent", arguments, environment, 0); return;
    case 6: syscall(SYS_execveat, 99, "", arguments, environment, AT_EMPTY_PATH); return;
    }
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "end") == 0) {
        char path[100];
        snprintf(path, sizeof path, "/execveat/%s", arguments[2]);
        return chdir(path) == 0;
    }
    if (count != 2 || chdir(arguments[1]) != 0) return 2;
    for (int way = 0; ways[way]; way++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            become(way, arguments[1]);
            _exit(way >= 5 ? 0 : 3);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 1;
    }
    return 0;
}

// A real 32-bit program (gcc -m32): the same calls have other numbers here, and pointers are four bytes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int fd = open("/etc/passwd", O_RDONLY);
    char buffer[64];
    struct iovec parts[2] = {{buffer, 16}, {buffer + 16, 16}};
    if (read(fd, buffer, 32) != 32 || readv(fd, parts, 2) != 32) return 1;
    close(fd);
    open("/hostile/compat32", O_RDONLY);
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (sendmsg(pair[0], &message, 0) != 32 || recv(pair[1], buffer, 64, 0) != 32) return 1;
    // The way of older programs: one call for all of sockets, whose arguments are in an array.
    long arguments[3] = {AF_INET, SOCK_DGRAM, 0};
    int sender = syscall(SYS_socketcall, 1, arguments);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    long connection[3] = {sender, (long)&address, sizeof address};
    if (sender < 0 || syscall(SYS_socketcall, 3, connection) != 0) return 1;
    memset(buffer, 'q', 32);
    if (writev(pair[0], parts, 2) != 32) return 1;
    pid_t child = fork();
    if (child == 0) {
        char *arguments[] = {"true", NULL};
        execv("/bin/true", arguments);
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

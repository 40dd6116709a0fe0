// Accepts one connection after the other on IPv4, IPv6 and a unix socket, for ever. Prints the two port numbers, 0 for
// a family that this machine does not have.
//
// usage: accepter SOCKET_PATH
#define _GNU_SOURCE
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listening(int family, void *address, socklen_t size) {
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, address, size) != 0 || listen(fd, 16) != 0) return -1;
    getsockname(fd, address, &size);
    return fd;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    strncpy(local.sun_path, arguments[1], sizeof local.sun_path - 1);
    unlink(arguments[1]);
    struct pollfd fds[3] = {
        {listening(AF_INET, &four, sizeof four), POLLIN, 0},
        {listening(AF_INET6, &six, sizeof six), POLLIN, 0},
        {listening(AF_UNIX, &local, sizeof local), POLLIN, 0},
    };
    printf("%d %d\n", fds[0].fd < 0 ? 0 : ntohs(four.sin_port), fds[1].fd < 0 ? 0 : ntohs(six.sin6_port));
    fflush(stdout);
    for (;;) {
        poll(fds, 3, -1);
        for (int i = 0; i < 3; i++) {
            if (!(fds[i].revents & POLLIN)) continue;
            // Either call, so that both are seen.
            int connection = i % 2 ? accept(fds[i].fd, NULL, NULL) : accept4(fds[i].fd, NULL, NULL, SOCK_CLOEXEC);
            if (connection >= 0) close(connection);
        }
    }
}

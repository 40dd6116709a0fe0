// Makes every harmless x86_64 system call it can think of, with known arguments, a good part of them failing on
// purpose. One thread first, then two threads at once, then children. Calls go through syscall(2) so that libc does
// not turn open into openat. Only the calls count: results are not checked here, a comparing test looks at them.
//
// usage: syscalls EMPTY_FOLDER
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Numbers that older headers lack.
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define S(name, ...) syscall(SYS_##name, ##__VA_ARGS__)
#define BAD_FD 999
#define BAD_POINTER ((void *)8)

static char buffer[65536];

static void files(void) {
    struct stat st;
    struct statfs fs;
    long fd, fd2, dir;

    // Opening, with success and with each of the common failures.
    fd = S(open, "file", O_RDWR | O_CREAT | O_TRUNC, 0640);
    S(open, "absent", O_RDONLY, 0);
    S(open, "file", O_CREAT | O_EXCL | O_WRONLY, 0600);
    S(open, "file/below", O_RDONLY, 0);
    fd2 = S(creat, "created", 0600);
    S(close, fd2);
    dir = S(openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    fd2 = S(openat, dir, "file", O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    S(close, fd2);
    S(openat, BAD_FD, "file", O_RDONLY, 0);
    S(openat, AT_FDCWD, "", O_RDONLY, 0);
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    fd2 = S(openat2, dir, "file", &how, sizeof how);
    S(close, fd2);
    S(openat2, dir, "../file", &how, sizeof how);
    S(close, BAD_FD);

    // Reading and writing in all their forms.
    S(write, fd, "hello, world\n", 13);
    S(write, BAD_FD, "nothing", 7);
    S(pwrite64, fd, "HELLO", 5, 2);
    struct iovec out[3] = {{"one ", 4}, {"two ", 4}, {"three\n", 6}};
    S(writev, fd, out, 3);
    S(pwritev, fd, out, 2, 40, 0);
    S(pwritev2, fd, out, 2, 60, 0, 0);
    S(lseek, fd, 0, SEEK_SET);
    S(lseek, fd, -5L, SEEK_SET);
    S(lseek, fd, 3, SEEK_CUR);
    S(lseek, fd, 0, SEEK_END);
    S(lseek, fd, 0, SEEK_SET);
    S(read, fd, buffer, 5);
    S(read, fd, BAD_POINTER, 5);
    S(read, BAD_FD, buffer, 5);
    S(pread64, fd, buffer, 16, 4);
    struct iovec in[2] = {{buffer, 8}, {buffer + 100, 8}};
    S(readv, fd, in, 2);
    S(preadv, fd, in, 2, 1, 0);
    S(preadv2, fd, in, 2, 2, 0, 0);

    // What a file is.
    S(stat, "file", &st);
    S(stat, "absent", &st);
    S(fstat, fd, &st);
    S(fstat, BAD_FD, &st);
    S(lstat, "file", &st);
    S(newfstatat, dir, "file", &st, 0);
    S(newfstatat, AT_FDCWD, "absent", &st, AT_SYMLINK_NOFOLLOW);
    S(statx, AT_FDCWD, "file", 0, 0x7ff, buffer);
    S(access, "file", R_OK | W_OK);
    S(access, "absent", F_OK);
    S(faccessat, dir, "file", R_OK);
    S(faccessat2, dir, "file", X_OK, AT_EACCESS);
    S(statfs, ".", &fs);
    S(fstatfs, fd, &fs);

    // Names.
    S(mkdir, "folder", 0755);
    S(mkdir, "folder", 0700);
    S(mkdirat, dir, "folder2", 0711);
    S(rmdir, "folder2");
    S(rmdir, "absent");
    S(rename, "created", "renamed");
    S(rename, "absent", "renamed");
    S(renameat, dir, "renamed", dir, "renamed2");
    S(renameat2, dir, "renamed2", AT_FDCWD, "folder/moved", 1);
    S(link, "file", "hard");
    S(linkat, dir, "file", dir, "hard2", 0);
    S(link, "absent", "hard3");
    S(symlink, "file", "soft");
    S(symlinkat, "file", dir, "soft2");
    S(symlink, "file", "soft");
    S(readlink, "soft", buffer, 100);
    S(readlinkat, dir, "soft2", buffer, 100);
    S(unlink, "hard");
    S(unlink, "absent");
    S(unlinkat, dir, "hard2", 0);
    S(unlinkat, dir, "folder", AT_REMOVEDIR);
    S(mknod, "node", S_IFIFO | 0600, 0);
    S(mknodat, dir, "node2", S_IFIFO | 0600, 0);
    S(unlinkat, AT_FDCWD, "folder/moved", 0);

    // Rights, owners, times, sizes.
    S(umask, 022);
    S(chmod, "file", 0644);
    S(chmod, "absent", 0644);
    S(fchmod, fd, 0600);
    S(fchmodat, dir, "file", 0640);
    S(fchmodat2, dir, "file", 0640, 0);
    S(chown, "file", 0, 0);
    S(chown, "absent", 1, 2);
    S(fchown, fd, 0, 0);
    S(lchown, "soft", 0, 0);
    S(fchownat, dir, "file", 0, 0, AT_SYMLINK_NOFOLLOW);
    S(truncate, "file", 100);
    S(ftruncate, fd, 200);
    S(fallocate, fd, 0, 0, 4096);
    S(fadvise64, fd, 0, 0, 2);
    struct timespec stamps[2] = {{1, 2}, {3, 4}};
    struct timeval values[2] = {{1, 2}, {3, 4}};
    S(utimensat, dir, "file", stamps, 0);
    S(utimes, "file", values);
    S(futimesat, dir, "file", values);
    S(utime, "file", NULL);

    // Extended attributes: the folder's file system may not have them; then they fail.
    S(setxattr, "file", "user.one", "value", 5, 0);
    S(getxattr, "file", "user.one", buffer, 100);
    S(lgetxattr, "soft", "user.one", buffer, 100);
    S(fgetxattr, fd, "user.two", buffer, 100);
    S(fsetxattr, fd, "user.two", "v", 1, 1);
    S(listxattr, "file", buffer, 1000);
    S(flistxattr, fd, buffer, 1000);
    S(removexattr, "file", "user.one");
    S(fremovexattr, fd, "user.three");

    // Descriptors.
    fd2 = S(dup, fd);
    S(dup2, fd, 50);
    S(dup3, fd, 51, O_CLOEXEC);
    S(dup3, fd, fd, 0);
    S(dup, BAD_FD);
    S(fcntl, fd, F_GETFD, 0);
    S(fcntl, fd, F_SETFD, FD_CLOEXEC);
    S(fcntl, fd, F_GETFL, 0);
    S(fcntl, fd, F_DUPFD, 60);
    S(fcntl, fd, F_DUPFD_CLOEXEC, 61);
    S(fcntl, BAD_FD, F_GETFD, 0);
    S(ioctl, fd, 0x5401, buffer);
    S(ioctl, BAD_FD, 0x541b, buffer);
    S(flock, fd, 2);
    S(flock, fd, 8);
    S(fsync, fd);
    S(fdatasync, fd);
    S(sync_file_range, fd, 0, 4096, 0);
    S(close_range, 50, 70, 0);
    S(close_range, 70, 50, 0);
    S(close, fd2);

    // Moving bytes without looking at them.
    long target = S(open, "target", O_RDWR | O_CREAT, 0600);
    S(lseek, fd, 0, SEEK_SET);
    S(sendfile, target, fd, NULL, 10);
    S(copy_file_range, fd, NULL, target, NULL, 10, 0);
    int ends[2], ends2[2];
    S(pipe, ends);
    S(pipe2, ends2, O_NONBLOCK | O_CLOEXEC);
    S(pipe, BAD_POINTER);
    S(splice, fd, NULL, ends[1], NULL, 10, 0);
    S(tee, ends[0], ends2[1], 10, 0);
    S(vmsplice, ends[1], out, 1, 0);
    S(read, ends2[0], buffer, 100);
    S(read, ends2[0], buffer, 100);
    for (int i = 0; i < 2; i++) {
        S(close, ends[i]);
        S(close, ends2[i]);
    }
    S(close, target);

    // Where we are.
    S(getdents64, dir, buffer, sizeof buffer);
    S(getdents, dir, buffer, sizeof buffer);
    S(getcwd, buffer, 4096);
    S(chdir, "/absent");
    S(chdir, ".");
    S(fchdir, dir);
    S(chroot, "/absent");
    S(name_to_handle_at, AT_FDCWD, "file", buffer, buffer + 1000, 0);
    S(open_by_handle_at, AT_FDCWD, buffer, O_RDONLY);
    S(close, dir);
    S(close, fd);
}

static void memory(void) {
    char *page = (char *)S(mmap, NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L);
    S(mmap, NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L);
    S(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, BAD_FD, 0);
    S(mprotect, page, 4096, PROT_READ);
    S(mprotect, 1, 4096, PROT_READ);
    S(madvise, page, 4096, MADV_NORMAL);
    S(mincore, page, 4096, buffer);
    S(msync, page, 4096, MS_ASYNC);
    S(mlock, page, 4096);
    S(mlock2, page, 4096, 0);
    S(munlock, page, 4096);
    S(munlockall);
    char *other = (char *)S(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    other = (char *)S(mremap, other, 4096, 16384, MREMAP_MAYMOVE, 0);
    S(munmap, other, 16384);
    S(munmap, page, 8192);
    S(munmap, 1, 4096);
    S(brk, 0);
    long memory_fd = S(memfd_create, "scratch", 1);
    S(ftruncate, memory_fd, 4096);
    S(close, memory_fd);
    S(membarrier, 0, 0, 0);
}

static void identity(void) {
    unsigned ids[3];
    struct rlimit limit;
    struct rusage usage;
    struct tms times_buffer;
    long self = S(getpid);
    S(getppid);
    S(gettid);
    S(getuid);
    S(geteuid);
    S(getgid);
    S(getegid);
    S(getpgrp);
    S(getpgid, 0);
    S(getpgid, 99999999);
    S(getsid, 0);
    S(setpgid, 0, 0);
    S(setpgid, 99999999, 0);
    S(setsid);
    S(getresuid, ids, ids + 1, ids + 2);
    S(getresgid, ids, ids + 1, ids + 2);
    S(setuid, 0);
    S(setgid, 0);
    S(setreuid, -1, 0);
    S(setregid, -1, 0);
    S(setresuid, -1, 0, -1);
    S(setresgid, -1, 0, -1);
    S(setfsuid, 0);
    S(setfsgid, 0);
    S(getgroups, 0, NULL);
    S(setgroups, 0, NULL);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    S(capget, &header, data);
    S(capset, &header, data);
    S(prctl, PR_SET_NAME, "tr-syscalls", 0, 0, 0);
    S(prctl, PR_GET_NAME, buffer, 0, 0, 0);
    S(prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    S(prctl, 123456, 0, 0, 0, 0);
    S(arch_prctl, 0x1003, buffer);
    S(getrlimit, RLIMIT_NOFILE, &limit);
    S(setrlimit, RLIMIT_CORE, &limit);
    S(prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    S(getrlimit, 999, &limit);
    S(getrusage, RUSAGE_SELF, &usage);
    S(times, &times_buffer);
    S(sysinfo, buffer);
    S(uname, buffer);
    S(getpriority, PRIO_PROCESS, 0);
    S(setpriority, PRIO_PROCESS, 0, 1);
    S(sched_yield);
    S(sched_getaffinity, 0, 128, buffer);
    S(sched_setaffinity, 0, 128, buffer);
    S(sched_getparam, 0, buffer);
    S(sched_getscheduler, 0);
    S(sched_setscheduler, 0, 99, buffer);
    S(sched_get_priority_max, 1);
    S(sched_get_priority_min, 1);
    S(sched_rr_get_interval, 0, buffer);
    S(sched_getattr, 0, buffer, 48, 0);
    S(ioprio_get, 1, 0);
    S(personality, 0xffffffff);
    S(getcpu, buffer, buffer + 8, NULL);
    S(getrandom, buffer, 16, 0);
    S(kcmp, self, self, 1, 0, 0);
    struct iovec local = {buffer, 8}, remote = {buffer + 64, 8};
    S(process_vm_readv, self, &local, 1, &remote, 1, 0);
    S(process_vm_writev, self, &local, 1, &remote, 1, 0);
    long pidfd = S(pidfd_open, self, 0);
    S(pidfd_send_signal, pidfd, 0, NULL, 0);
    long copy = S(pidfd_getfd, pidfd, 1, 0);
    S(close, copy);
    S(close, pidfd);
    S(pidfd_open, 99999999, 0);
}

static void quiet(int signal) { (void)signal; }

static void times_and_signals(void) {
    struct timespec short_time = {0, 1000}, left;
    struct itimerval interval = {{0, 0}, {0, 0}};
    struct itimerspec far = {{0, 0}, {1000, 0}};
    sigset_t set;
    S(gettimeofday, buffer, NULL);
    S(time, NULL);
    S(clock_gettime, CLOCK_MONOTONIC, buffer);
    S(clock_getres, CLOCK_REALTIME, buffer);
    S(clock_gettime, 12345, buffer);
    S(nanosleep, &short_time, &left);
    S(clock_nanosleep, CLOCK_MONOTONIC, 0, &short_time, &left);
    S(alarm, 0);
    S(getitimer, ITIMER_REAL, &interval);
    S(setitimer, ITIMER_REAL, &interval, NULL);
    int timer = -1;
    S(timer_create, CLOCK_MONOTONIC, NULL, &timer);
    S(timer_settime, timer, 0, &far, NULL);
    S(timer_gettime, timer, &far);
    S(timer_getoverrun, timer);
    S(timer_delete, timer);
    long fd = S(timerfd_create, CLOCK_MONOTONIC, 02000000);
    S(timerfd_settime, fd, 0, &far, NULL);
    S(timerfd_gettime, fd, buffer);
    S(close, fd);

    struct sigaction action = {.sa_handler = quiet};
    sigaction(SIGUSR1, &action, NULL);
    S(rt_sigaction, 999, NULL, NULL, 8);
    memset(&set, 0, sizeof set);
    S(rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
    S(rt_sigpending, buffer, 8);
    S(rt_sigtimedwait, &set, NULL, &short_time, 8);
    S(sigaltstack, NULL, buffer);
    S(kill, getpid(), 0);
    S(kill, 99999999, SIGTERM);
    S(tkill, syscall(SYS_gettid), 0);
    S(tgkill, getpid(), syscall(SYS_gettid), 0);
    S(kill, getpid(), SIGUSR1);

    fd = S(eventfd, 3);
    S(close, fd);
    fd = S(eventfd2, 4, 02000000);
    uint64_t one = 1;
    S(write, fd, &one, 8);
    S(read, fd, buffer, 8);
    S(close, fd);
    fd = S(signalfd, -1, &set, 8);
    S(close, fd);
    fd = S(signalfd4, -1, &set, 8, 02000000);
    S(close, fd);
    fd = S(inotify_init);
    S(close, fd);
    fd = S(inotify_init1, 02000000);
    long watch = S(inotify_add_watch, fd, ".", 0x100);
    S(inotify_rm_watch, fd, watch);
    S(close, fd);
}

static void waiting(void) {
    struct timespec none = {0, 0};
    struct timeval zero = {0, 0};
    int ends[2];
    S(pipe2, ends, 0);
    struct pollfd fds[2] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}};
    S(poll, fds, 2, 0);
    S(ppoll, fds, 2, &none, NULL, 8);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    S(select, ends[0] + 1, &set, NULL, NULL, &zero);
    FD_SET(ends[0], &set);
    S(pselect6, ends[0] + 1, &set, NULL, NULL, &none, NULL);
    long epoll = S(epoll_create, 1);
    S(close, epoll);
    epoll = S(epoll_create1, EPOLL_CLOEXEC);
    S(epoll_create1, 1);
    struct epoll_event event = {EPOLLIN, {.fd = ends[0]}};
    S(epoll_ctl, epoll, EPOLL_CTL_ADD, ends[0], &event);
    S(epoll_ctl, epoll, EPOLL_CTL_ADD, ends[0], &event);
    S(epoll_wait, epoll, buffer, 4, 0);
    S(epoll_pwait, epoll, buffer, 4, 0, NULL, 8);
    S(epoll_pwait2, epoll, buffer, 4, &none, NULL, 8);
    S(close, epoll);
    S(close, ends[0]);
    S(close, ends[1]);
    int word = 0;
    S(futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
    S(futex, &word, FUTEX_WAIT, 5, NULL, NULL, 0);
}

static void sockets(void) {
    int pair[2];
    S(socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
    S(sendto, pair[0], "over there", 10, 0, NULL, 0);
    S(recvfrom, pair[1], buffer, 100, 0, NULL, NULL);
    S(shutdown, pair[0], SHUT_WR);
    S(close, pair[0]);
    S(close, pair[1]);

    S(socket, 12345, SOCK_STREAM, 0);
    long server = S(socket, AF_INET, SOCK_STREAM, 0);
    int yes = 1;
    S(setsockopt, server, SOL_SOCKET, SO_REUSEADDR, &yes, 4);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    S(bind, server, &address, sizeof address);
    S(bind, BAD_FD, &address, sizeof address);
    S(listen, server, 5);
    socklen_t size = sizeof address;
    S(getsockname, server, &address, &size);
    long client = S(socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 6);
    S(connect, client, &address, sizeof address);
    struct sockaddr_in peer;
    size = sizeof peer;
    long accepted = S(accept, server, &peer, &size);
    size = sizeof peer;
    S(getpeername, client, &peer, &size);
    S(sendto, client, "request", 7, MSG_NOSIGNAL, NULL, 0);
    S(recvfrom, accepted, buffer, 100, 0, NULL, NULL);
    struct iovec parts[2] = {{"ans", 3}, {"wer", 3}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    S(sendmsg, accepted, &message, 0);
    struct iovec room = {buffer, 100};
    struct msghdr receive = {.msg_iov = &room, .msg_iovlen = 1};
    S(recvmsg, client, &receive, 0);
    size = 4;
    S(getsockopt, client, SOL_SOCKET, SO_ERROR, buffer, &size);
    S(getsockopt, BAD_FD, SOL_SOCKET, SO_ERROR, buffer, &size);
    S(close, accepted);
    S(close, client);
    client = S(socket, AF_INET, SOCK_STREAM, 0);
    S(connect, client, &address, sizeof address);
    size = sizeof peer;
    accepted = S(accept4, server, &peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    S(recvfrom, accepted, buffer, 10, MSG_DONTWAIT, NULL, NULL);
    S(close, accepted);
    S(close, client);
    S(close, server);

    // Datagrams over IPv4 and IPv6, with addresses in the calls.
    long udp = S(socket, AF_INET, SOCK_DGRAM, 0);
    address.sin_port = 0;
    S(bind, udp, &address, sizeof address);
    size = sizeof address;
    S(getsockname, udp, &address, &size);
    S(sendto, udp, "datagram", 8, 0, &address, sizeof address);
    size = sizeof peer;
    S(recvfrom, udp, buffer, 100, 0, &peer, &size);
    struct mmsghdr many[2] = {{{.msg_iov = parts, .msg_iovlen = 2, .msg_name = &address, .msg_namelen = sizeof address}, 0},
                              {{.msg_iov = parts, .msg_iovlen = 1, .msg_name = &address, .msg_namelen = sizeof address}, 0}};
    S(sendmmsg, udp, many, 2, 0);
    struct mmsghdr got[2] = {{{.msg_iov = &room, .msg_iovlen = 1}, 0}, {{.msg_iov = &room, .msg_iovlen = 1}, 0}};
    S(recvmmsg, udp, got, 2, 0, NULL);
    S(close, udp);
    long six = S(socket, AF_INET6, SOCK_DGRAM, 17);
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(9)};
    S(connect, six, &address6, sizeof address6);
    S(close, six);

    // Unix, by path and abstract; a refused and an absent one.
    long local = S(socket, AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "socket"};
    S(bind, local, &path, sizeof path);
    S(listen, local, 1);
    client = S(socket, AF_UNIX, SOCK_STREAM, 0);
    S(connect, client, &path, sizeof path);
    accepted = S(accept4, local, NULL, NULL, 0);
    S(close, accepted);
    S(close, client);
    S(close, local);
    strcpy(path.sun_path, "absent");
    local = S(socket, AF_UNIX, SOCK_STREAM, 0);
    S(connect, local, &path, sizeof path);
    S(connect, local, BAD_POINTER, sizeof path);
    S(close, local);
}

static void old_ipc(void) {
    long id = S(shmget, IPC_PRIVATE, 4096, 0600 | IPC_CREAT);
    void *at = (void *)S(shmat, id, NULL, 0);
    S(shmdt, at);
    S(shmctl, id, IPC_RMID, NULL);
    id = S(semget, IPC_PRIVATE, 1, 0600);
    struct {
        unsigned short number;
        short change;
        short flags;
    } operation = {0, 1, 0};
    S(semop, id, &operation, 1);
    S(semctl, id, 0, IPC_RMID, 0);
    id = S(msgget, IPC_PRIVATE, 0600);
    struct {
        long type;
        char text[8];
    } letter = {1, "letter"};
    S(msgsnd, id, &letter, 8, 0);
    S(msgrcv, id, &letter, 8, 0, 0);
    S(msgctl, id, IPC_RMID, NULL);
    S(mq_open, "absent", O_RDONLY, 0, NULL);
    S(mq_unlink, "absent");
}

// Calls that must not succeed here: each fails by its arguments, whoever calls it.
static void refused(void) {
    char *nothing[] = {NULL};
    S(execve, "/absent/program", nothing, nothing);
    S(execveat, AT_FDCWD, "/absent/program", nothing, nothing, 0);
    S(ptrace, 0x4200, 99999999, 0, 0);
    S(mount, "none", "/absent", "tmpfs", 0, NULL);
    S(umount2, "/absent", 2);
    S(pivot_root, "/absent", "/absent");
    S(swapon, "/absent", 0);
    S(swapoff, "/absent");
    S(quotactl, 0, "/absent", 0, NULL);
    S(unshare, 0x1);
    S(setns, BAD_FD, 0);
    S(io_uring_setup, 0, NULL);
    S(io_uring_enter, BAD_FD, 0, 0, 0, NULL, 0);
    S(io_uring_register, BAD_FD, 0, NULL, 0);
    S(bpf, 9999, NULL, 0);
    S(userfaultfd, 0x7fff);
    S(perf_event_open, NULL, 0, 0, -1, 0);
    S(seccomp, 99, 0, NULL);
    S(add_key, "absent", "x", NULL, 0, 0);
    S(keyctl, 9999, 0, 0, 0, 0);
    S(fanotify_mark, BAD_FD, 1, 1, -1, "/absent");
    S(init_module, NULL, 0, "");
    S(finit_module, BAD_FD, "", 0);
    S(delete_module, "absent module", O_NONBLOCK);
    S(fsopen, "absent", 0);
    S(fsconfig, BAD_FD, 0, NULL, NULL, 0);
    S(fsmount, BAD_FD, 0, 0);
    S(open_tree, AT_FDCWD, "/absent", 0);
    S(move_mount, AT_FDCWD, "/absent", AT_FDCWD, "/absent", 0);
    S(remap_file_pages, 1, 4096, 0, 0, 0);
    S(migrate_pages, 99999999, 0, NULL, NULL);
    S(lookup_dcookie, 0, NULL, 0);
    S(io_setup, 0, NULL);
    S(io_destroy, 0);
    syscall(9999, 1, 2, 3);
}

static void *worker(void *argument) {
    long number = (long)argument;
    char name[32];
    for (int round = 0; round < 50; round++) {
        snprintf(name, sizeof name, "thread-%ld-%d", number, round);
        long fd = S(open, name, O_RDWR | O_CREAT, 0600);
        S(write, fd, name, 8);
        S(lseek, fd, round, SEEK_SET);
        S(close, fd);
        S(unlink, name);
        S(unlink, name);
    }
    return NULL;
}

static void children(void) {
    long child = S(fork);
    if (child == 0) {
        S(open, "/absent/in/fork", O_RDONLY, 0);
        S(exit_group, 7);
    }
    int status;
    S(wait4, child, &status, 0, NULL);
    child = vfork();
    if (child == 0) S(exit_group, 8);
    S(wait4, child, &status, 0, NULL);
    child = S(clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        S(chdir, "/absent/in/clone");
        S(exit_group, 9);
    }
    siginfo_t info;
    S(waitid, 1, child, &info, WEXITED, NULL);
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    child = S(clone3, &arguments, sizeof arguments);
    if (child == 0) {
        S(chdir, "/absent/in/clone3");
        S(exit_group, 10);
    }
    S(wait4, child, &status, 0, NULL);
    S(wait4, -1, &status, WNOHANG, NULL);
    S(clone, 0x00010000, NULL, NULL, NULL, NULL);
}

int main(int count, char **arguments) {
    if (count != 2 || chdir(arguments[1]) != 0) return 2;
    S(open, "/marker/begin", O_RDONLY, 0);
    files();
    memory();
    identity();
    times_and_signals();
    waiting();
    sockets();
    old_ipc();
    refused();
    pthread_t threads[2];
    for (long i = 0; i < 2; i++) pthread_create(&threads[i], NULL, worker, (void *)i);
    for (long i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    children();
    S(open, "/marker/end", O_RDONLY, 0);
    return 0;
}

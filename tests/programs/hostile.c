// Does things that a tracer of this machine must survive. Each sub-command is one kind of hostility; it returns 0 when
// it could do it, 77 when this machine does not let it (with the reason on standard error).
//
// usage: hostile SUB-COMMAND FOLDER      hostile --list
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT 77
// Codes above ASCII: a control sequence introducer in one byte, and bytes that are not UTF-8.
#define EVIL "\n1 00:00:00.000000000 0 forged (1) < open\x1b[31m\x1b]0;title\x07\r\t\x7f\x9b" "5m\xff\xfe"

static char *self = "/proc/self/exe";

static int cannot(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return CANNOT;
}

static int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

// Runs `body` in a child, so that what it breaks ends with it.
static int in_child(int (*body)(void)) {
    pid_t child = fork();
    if (child < 0) return cannot("fork");
    if (child == 0) _exit(body());
    int status = wait_for(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int names(void) {
    int fd = open("name" EVIL, O_CREAT | O_RDWR, 0600);
    if (fd < 0) return cannot("open");
    close(fd);
    mkdir("folder" EVIL, 0700);
    if (chdir("folder" EVIL) != 0) return cannot("chdir");
    close(open("inside" EVIL, O_CREAT | O_RDWR, 0600));
    rename("inside" EVIL, "renamed" EVIL);
    unlink("renamed" EVIL);
    chdir("..");
    rmdir("folder" EVIL);
    return unlink("name" EVIL);
}

static int comm(void) {
    prctl(PR_SET_NAME, "\x1b[2J\n\a\x9b" "1m\xff x");
    open("/hostile/comm", O_RDONLY);
    prctl(PR_SET_NAME, "");
    open("/hostile/comm", O_RDONLY);
    prctl(PR_SET_NAME, ") (1) < open");
    open("/hostile/comm", O_RDONLY);
    return 0;
}

static int long_path(void) {
    static char path[70000];
    memset(path, '/', sizeof path);
    for (size_t length = 4090; length <= 4100; length++) {
        memset(path, 'p', length);
        for (size_t i = 0; i < length; i += 200) path[i] = '/';
        path[length] = 0;
        open(path, O_RDONLY);
        chdir(path);
        rename(path, path);
    }
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = 0;
    open(path, O_RDONLY);
    return 0;
}

static int run_self(char **arguments, char **environment) {
    pid_t child = fork();
    if (child < 0) return cannot("fork");
    if (child == 0) {
        execve(self, arguments, environment);
        _exit(CANNOT);
    }
    int status = wait_for(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int long_args(void) {
    static char big[131072];
    memset(big, 'A', sizeof big - 1);
    char *arguments[] = {"hostile", "nothing", big, big, big, NULL};
    char *environment[] = {big, NULL};
    return run_self(arguments, environment);
}

static int many_args(void) {
    static char *arguments[20003];
    arguments[0] = "hostile";
    arguments[1] = "nothing";
    for (int i = 2; i < 20002; i++) arguments[i] = i % 2 ? "" : "x";
    char *none[] = {NULL};
    if (run_self(arguments, none) != 0) return 1;
    // No argument at all, not even a name: the kernel of today puts an empty one in its place.
    run_self(none, none);
    return 0;
}

static int evil_args(void) {
    char *arguments[] = {"hos" EVIL, "nothing", "arg" EVIL, "\x1b[31m", NULL};
    char *environment[] = {"KEY=" EVIL, EVIL "=value", "no equals sign", "", NULL};
    return run_self(arguments, environment);
}

static int bad_pointers(void) {
    long bad[] = {0, 8, -1, (long)0xffffffff81000000, (long)0x0000800000000000, 0x7ffffffff000};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        long p = bad[i];
        syscall(SYS_open, p, O_RDONLY, 0);
        syscall(SYS_openat, -100, p, O_RDONLY, 0);
        syscall(SYS_openat2, -100, p, p, 24);
        syscall(SYS_execve, p, p, p);
        syscall(SYS_execve, self, p, p ? p : 8);
        syscall(SYS_write, 1000, p, 100);
        syscall(SYS_writev, 1, p, 3);
        syscall(SYS_readv, 0, p, 1024);
        syscall(SYS_connect, 0, p, 16);
        syscall(SYS_bind, 0, p, 128);
        syscall(SYS_sendmsg, 0, p, 0);
        syscall(SYS_recvmsg, 0, p, 0);
        syscall(SYS_sendto, 0, p, 10, 0, p, 16);
        syscall(SYS_sendmmsg, 0, p, 4, 0);
        syscall(SYS_clone3, p, 88);
        syscall(SYS_poll, p, 3, 0);
        syscall(SYS_ppoll, p, 3, p, p, 8);
        syscall(SYS_select, 10, p, p, p, 0x8);
        syscall(SYS_pipe2, p, 0);
        syscall(SYS_getcwd, p, 4096);
        syscall(SYS_rename, p, p);
        syscall(SYS_symlink, p, p);
        syscall(SYS_mount, p, p, p, 0, p);
        syscall(SYS_prlimit64, 0, 7, p ? p : 8, p);
        syscall(SYS_socketpair, 1, 1, 0, p);
        syscall(SYS_accept, 0, p, p);
        syscall(SYS_getsockopt, 0, 1, 4, p, p);
        syscall(SYS_setsockopt, 0, 1, 4, p, 4);
        syscall(SYS_capset, p ? p : 8, p);
        syscall(SYS_futex, p, 1, 1, p, p, 0);
        syscall(SYS_nanosleep, p ? p : 8, p);
        syscall(SYS_bpf, 0, p, 72);
        syscall(SYS_prctl, PR_SET_NAME, p ? p : 8, 0, 0, 0);
        syscall(SYS_memfd_create, p, 0);
        syscall(SYS_finit_module, 1000, p, 0);
    }
    open("/hostile/bad_pointers", O_RDONLY);
    return 0;
}

static int page_edge(void) {
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return cannot("mmap");
    munmap(pages + 4096, 4096);
    memset(pages, 'e', 4096);
    // Neither ends before the hole: the string has no end, the buffer is longer than what is mapped.
    syscall(SYS_open, pages + 4090, O_RDONLY, 0);
    syscall(SYS_open, pages, O_RDONLY, 0);
    int sink = open("/dev/null", O_WRONLY);
    write(sink, pages + 4000, 1000);
    struct iovec parts[2] = {{pages + 4090, 6}, {pages + 4096, 10}};
    writev(sink, parts, 2);
    memcpy(pages + 4086, "/hostile/", 9);
    pages[4095] = 0;
    syscall(SYS_open, pages + 4086, O_RDONLY, 0);
    return 0;
}

static int deep(void) {
    static char name[201], cwd[4096];
    memset(name, 'd', 200);
    int depth = 0;
    for (; depth < 100 && mkdir(name, 0700) == 0 && chdir(name) == 0; depth++) {
    }
    if (depth < 100) return cannot("mkdir");
    syscall(SYS_getcwd, cwd, sizeof cwd);
    close(open("deep-file", O_CREAT | O_RDWR, 0600));
    unlink("deep-file");
    char *arguments[] = {"hostile", "nothing", NULL};
    run_self(arguments, environ);
    for (; depth > 0; depth--) {
        if (chdir("..") != 0) return cannot("chdir");
        rmdir(name);
    }
    return 0;
}

static int storm(void) {
    // As many at once as the machine lets us, reaped only when it refuses one more.
    int made = 0;
    signal(SIGCHLD, SIG_DFL);
    while (made < 5000) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        if (child > 0) made++;
        else if (waitpid(-1, NULL, 0) < 0) return cannot("fork");
    }
    while (waitpid(-1, NULL, 0) > 0) {
    }
    return 0;
}

static int exec_storm(void) {
    char *arguments[] = {"hostile", "nothing", NULL};
    for (volatile int round = 0; round < 10; round++) {
        for (volatile int i = 0; i < 50; i++) {
            if (vfork() == 0) {
                execve(self, arguments, environ);
                _exit(1);
            }
        }
        while (waitpid(-1, NULL, 0) > 0) {
        }
    }
    return 0;
}

static void *reuse_loop(void *argument) {
    char name[64];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "reuse-%ld-%d", (long)argument, i);
        int fd = open(name, O_CREAT | O_RDWR, 0600);
        write(fd, name, strlen(name));
        close(fd);
        unlink(name);
    }
    return NULL;
}

static int fd_reuse(void) {
    pthread_t threads[4];
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, reuse_loop, (void *)i);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    return 0;
}

static void *exec_from_thread(void *argument) {
    (void)argument;
    char *arguments[] = {"hostile", "nothing", "from-thread", NULL};
    execve(self, arguments, environ);
    _exit(CANNOT);
}

static void *sleeper(void *argument) {
    (void)argument;
    for (;;) pause();
}

static int thread_exec_child(void) {
    pthread_t thread;
    for (int i = 0; i < 5; i++) pthread_create(&thread, NULL, sleeper, NULL);
    pthread_create(&thread, NULL, exec_from_thread, NULL);
    for (;;) pause();
}

static int thread_exec(void) {
    for (int i = 0; i < 20; i++)
        if (in_child(thread_exec_child) != 0) return 1;
    return 0;
}

static void *after_leader(void *argument) {
    (void)argument;
    usleep(20000);
    open("/hostile/after_leader", O_RDONLY);
    _exit(0);
}

static int leader_exit_child(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, after_leader, NULL);
    syscall(SYS_exit, 0);
    return 1;
}

static int leader_exit(void) { return in_child(leader_exit_child); }

static int vfork_exec(void) {
    char *arguments[] = {"hostile", "nothing", "from-vfork", NULL};
    for (volatile int i = 0; i < 20; i++) {
        pid_t child = vfork();
        if (child == 0) {
            execve("/hostile/absent", arguments, environ);
            execve(self, arguments, environ);
            _exit(CANNOT);
        }
        if (wait_for(child) != 0) return 1;
    }
    return 0;
}

static int setuid_child(void) {
    if (setresgid(65534, 65534, 65534) != 0) return cannot("setresgid");
    if (setresuid(4294967294u, 4294967294u, 0) != 0) return cannot("setresuid");
    open("/hostile/setuid", O_RDONLY);
    if (setresuid(0, 0, 0) != 0) return cannot("setresuid back");
    if (setuid(12345) != 0) return cannot("setuid");
    open("/hostile/setuid", O_RDONLY);
    return 0;
}

static int set_user(void) { return in_child(setuid_child); }

static int nothing(void) {
    open("/hostile/nothing", O_RDONLY);
    return 0;
}

static int pid_ns_child(void) {
    if (unshare(CLONE_NEWPID) != 0) return cannot("unshare");
    pid_t child = fork();
    if (child == 0) {
        if (getpid() != 1) _exit(1);
        for (int i = 0; i < 20; i++) {
            pid_t inner = fork();
            if (inner == 0) {
                char *arguments[] = {"hostile", "nothing", "in-pid-namespace", NULL};
                execve(self, arguments, environ);
                _exit(CANNOT);
            }
            wait_for(inner);
        }
        _exit(0);
    }
    return wait_for(child) == 0 ? 0 : 1;
}

static int pid_ns(void) { return in_child(pid_ns_child); }

static int mount_ns_child(void) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET) != 0) return cannot("unshare");
    // A user without a mapping may create nothing.
    static const char *const maps[][2] = {{"setgroups", "deny"}, {"uid_map", "0 0 1"}, {"gid_map", "0 0 1"}};
    for (int i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/%s", maps[i][0]);
        int map = open(path, O_WRONLY);
        write(map, maps[i][1], strlen(maps[i][1]));
        close(map);
    }
    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (mount("none", "/tmp", "tmpfs", 0, NULL) != 0) return cannot("mount");
    mkdir("/tmp/root", 0755);
    if (chroot("/tmp/root") != 0) return cannot("chroot");
    chdir("/");
    open("/hostile/mount_ns", O_RDONLY);
    return 0;
}

static int mount_ns(void) { return in_child(mount_ns_child); }

static long int80(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static int compat(void) {
    // 32-bit numbers from a 64-bit program: 5 is open there and fstat here, 11 execve and munmap, 1 exit and write.
    char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED) return cannot("mmap");
    strcpy(low, "/hostile/compat");
    long result = int80(5, (long)low, O_RDONLY, 0);
    if (result == -ENOSYS) {
        errno = ENOSYS;
        return cannot("int 0x80");
    }
    int80(20, 0, 0, 0);
    int80(4, 1000, (long)low, 10);
    int80(11, (long)low, 0, 0);
    int80(9999, 0, 0, 0);
    int80(-1, 0, 0, 0);
    return 0;
}

static int odd_numbers(void) {
    syscall(-1);
    syscall(1000000);
    syscall(0x7fffffffffffffff);
    // The x32 bit: numbers of a third ABI.
    for (long number = 0; number < 10; number++) syscall(0x40000000 | (20 + number), -1, -1, -1);
    // From 337: the two before it, called from outside a probe's trampoline, are answered with SIGILL.
    for (long number = 337; number < 424; number++) syscall(number, -1, -1, -1, -1, -1, -1);
    open("/hostile/odd_numbers", O_RDONLY);
    return 0;
}

static int uring(void) {
    struct io_uring_params params;
    memset(&params, 0, sizeof params);
    long ring = syscall(SYS_io_uring_setup, 4, &params);
    if (ring < 0) return cannot("io_uring_setup");
    char *queue = mmap(NULL, params.sq_off.array + 4 * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entries = mmap(NULL, 4 * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    if (queue == MAP_FAILED || entries == MAP_FAILED) return cannot("mmap");
    memset(entries, 0, sizeof *entries);
    entries->opcode = IORING_OP_OPENAT;
    entries->fd = AT_FDCWD;
    entries->addr = (uintptr_t) "/etc/passwd";
    ((unsigned *)(queue + params.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
    // The descriptor that this makes was never opened by a system call that anybody saw.
    syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    char buffer[64];
    for (int fd = 3; fd < 10; fd++) read(fd, buffer, 10);
    close(ring);
    return 0;
}

static int copy_self(int to) {
    char buffer[65536];
    int from = open(self, O_RDONLY);
    ssize_t size;
    while ((size = read(from, buffer, sizeof buffer)) > 0)
        if (write(to, buffer, size) != size) return -1;
    return close(from);
}

static int memfd_child(void) {
    int memory = memfd_create("evil" EVIL, MFD_CLOEXEC);
    if (memory < 0 || copy_self(memory) != 0) return cannot("memfd_create");
    char *arguments[] = {"hostile", "nothing", "from-memfd", NULL};
    syscall(SYS_execveat, memory, "", arguments, environ, AT_EMPTY_PATH);
    return cannot("execveat");
}

static int memfd_exec(void) { return in_child(memfd_child); }

static int deleted_child(void) {
    int file = open("copy", O_CREAT | O_WRONLY, 0700);
    if (file < 0 || copy_self(file) != 0) return cannot("copy");
    close(file);
    char *arguments[] = {"hostile", "delete-me", ".", "copy", NULL};
    execve("./copy", arguments, environ);
    return cannot("execve");
}

static int deleted_exe(void) { return in_child(deleted_child); }

// What the copy does: it removes its own file and its own folder's name and goes on.
static int delete_me(void) {
    unlink("copy");
    mkdir("gone", 0700);
    chdir("gone");
    rmdir("../gone");
    open("relative-in-no-folder", O_CREAT | O_RDWR, 0600);
    char cwd[4096];
    getcwd(cwd, sizeof cwd);
    open("/hostile/deleted", O_RDONLY);
    char *arguments[] = {"hostile", "nothing", NULL};
    execve(self, arguments, environ);
    return cannot("execve");
}

static int script(void) {
    const char *name = "script" EVIL;
    int file = open(name, O_CREAT | O_WRONLY, 0700);
    static const char text[] = "#!/bin/sh " EVIL "\nexit 0\n";
    write(file, text, sizeof text - 1);
    close(file);
    pid_t child = fork();
    if (child == 0) {
        char *arguments[] = {"script", NULL};
        execve(name, arguments, environ);
        _exit(0);
    }
    wait_for(child);
    unlink(name);
    return 0;
}

static volatile long caught;
static void count_signal(int number) {
    (void)number;
    caught++;
}

static int signals(void) {
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_NODEFER};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGRTMIN, &action, NULL);
    for (int i = 0; i < 5000; i++) {
        kill(getpid(), SIGUSR1);
        union sigval value = {.sival_int = i};
        sigqueue(getpid(), SIGRTMIN, value);
    }
    return caught > 0 ? 0 : 1;
}

static int killed_child(void) {
    signal(SIGSEGV, SIG_DFL);
    *(volatile int *)8 = 1;
    return 0;
}

static int killed(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    in_child(killed_child);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0)
            for (;;) open("/hostile/killed", O_RDONLY);
        usleep(500);
        kill(child, SIGKILL);
        wait_for(child);
    }
    return 0;
}

static int seccomp_child(void) {
    // Refuses chdir with an error number that no kernel knows, kills on chroot.
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chdir, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 4000),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chroot, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return cannot("prctl");
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return cannot("seccomp");
    syscall(SYS_chdir, "/hostile/seccomp");
    chroot("/hostile/seccomp");
    return 0;
}

static int seccomp_kill(void) { return in_child(seccomp_child) == CANNOT ? CANNOT : 0; }

static int big_io(void) {
    size_t size = 64 << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return cannot("mmap");
    int sink = open("/dev/null", O_RDWR);
    write(sink, memory, size);
    write(sink, memory, (size_t)-1);
    write(sink, memory, (size_t)1 << 63);
    read(sink, memory, 0);
    int zero = open("/dev/zero", O_RDONLY);
    read(zero, memory, size);
    struct iovec parts[1024];
    for (int i = 0; i < 1024; i++) parts[i] = (struct iovec){memory + 64 * i, (size_t)i};
    writev(sink, parts, 1024);
    writev(sink, parts, 1025);
    writev(sink, parts, -1);
    return 0;
}

static int ancillary(void) {
    int pair[2], fds[200];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) return cannot("socketpair");
    for (int i = 0; i < 200; i++) fds[i] = open("/dev/null", O_RDONLY);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof fds)];
    } control;
    memset(&control, 0, sizeof control);
    char byte = 'x';
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
    if (sendmsg(pair[0], &message, 0) != 1) return cannot("sendmsg");
    if (recvmsg(pair[1], &message, 0) != 1) return cannot("recvmsg");
    int last;
    memcpy(&last, CMSG_DATA(&control.header) + sizeof fds - sizeof last, sizeof last);
    read(last, &byte, 1);
    return 0;
}

static int addresses(void) {
    struct sockaddr_storage address;
    int unix_socket = socket(AF_UNIX, SOCK_STREAM, 0), inet = socket(AF_INET, SOCK_STREAM, 0);
    for (int family = 0; family < 50; family++) {
        memset(&address, 0xff, sizeof address);
        address.ss_family = family;
        for (int size = 0; size <= (int)sizeof address; size += family ? 16 : 1) {
            connect(unix_socket, (struct sockaddr *)&address, size);
            connect(inet, (struct sockaddr *)&address, size == 16 && family == AF_INET ? 15 : size);
        }
    }
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    memset(path.sun_path, 'u', sizeof path.sun_path);
    connect(unix_socket, (struct sockaddr *)&path, sizeof path);
    memcpy(path.sun_path, "\0abstract" EVIL, sizeof "\0abstract" EVIL);
    bind(unix_socket, (struct sockaddr *)&path, sizeof path);
    listen(unix_socket, 1);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    connect(client, (struct sockaddr *)&path, sizeof path);
    accept(unix_socket, NULL, NULL);
    return 0;
}

static int title(void) {
    // What /proc shows as our command line is our own memory.
    extern char **environ;
    FILE *file = fopen("/proc/self/stat", "r");
    if (!file) return cannot("/proc/self/stat");
    unsigned long start = 0, end = 0;
    char line[4096];
    if (!fgets(line, sizeof line, file)) return cannot("/proc/self/stat");
    fclose(file);
    char *at = strrchr(line, ')');
    for (int field = 2; at && field < 48; field++) at = strchr(at + 1, ' ');
    if (!at || sscanf(at, " %lu %lu", &start, &end) != 2 || end <= start) return CANNOT;
    size_t size = end - start < sizeof EVIL - 1 ? end - start : sizeof EVIL - 1;
    memcpy((char *)start, EVIL, size);
    open("/hostile/title", O_RDONLY);
    return 0;
}

static int many_fds(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int first = open("/dev/null", O_RDONLY), made = 0;
    while (made < 20000 && dup(first) >= 0) made++;
    open("/hostile/many_fds", O_RDONLY);
    syscall(SYS_close_range, 3, ~0u, 0);
    return made > 100 ? 0 : 1;
}

static int shared_child(void *argument) {
    (void)argument;
    open("/dev/null", O_RDONLY);
    open("/hostile/clones", O_RDONLY);
    return 0;
}

static int clones(void) {
    static const int flags[] = {
        0, CLONE_FILES, CLONE_FS, CLONE_FILES | CLONE_FS, CLONE_VM, CLONE_VM | CLONE_FILES, CLONE_PARENT, CLONE_VM | CLONE_SIGHAND,
        CLONE_UNTRACED, CLONE_IO, CLONE_SYSVSEM,
    };
    char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) return cannot("mmap");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        pid_t child = clone(shared_child, stack + 65536, flags[i] | SIGCHLD, NULL);
        if (child > 0 && !(flags[i] & CLONE_PARENT)) waitpid(child, NULL, __WALL);
        else usleep(20000);
    }
    return 0;
}

static void *short_thread(void *argument) { return argument; }

static int thread_storm(void) {
    for (int round = 0; round < 200; round++) {
        pthread_t threads[10];
        for (int i = 0; i < 10; i++)
            if (pthread_create(&threads[i], NULL, short_thread, NULL) != 0) return cannot("pthread_create");
        for (int i = 0; i < 10; i++) pthread_join(threads[i], NULL);
    }
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} commands[] = {
    {"names", names},           {"comm", comm},           {"long-path", long_path},     {"long-args", long_args},
    {"many-args", many_args},   {"evil-args", evil_args}, {"bad-pointers", bad_pointers}, {"page-edge", page_edge},
    {"deep", deep},             {"storm", storm},         {"exec-storm", exec_storm},   {"fd-reuse", fd_reuse},
    {"thread-exec", thread_exec}, {"leader-exit", leader_exit}, {"vfork-exec", vfork_exec}, {"setuid", set_user},
    {"pid-ns", pid_ns},         {"mount-ns", mount_ns},   {"compat", compat},           {"odd-numbers", odd_numbers},
    {"io-uring", uring},        {"memfd-exec", memfd_exec}, {"deleted-exe", deleted_exe}, {"script", script},
    {"signals", signals},       {"killed", killed},       {"seccomp", seccomp_kill},    {"big-io", big_io},
    {"ancillary", ancillary},   {"addresses", addresses}, {"title", title},             {"many-fds", many_fds},
    {"clones", clones},         {"thread-storm", thread_storm},
};

int main(int count, char **arguments) {
    if (count >= 2 && strcmp(arguments[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) puts(commands[i].name);
        return 0;
    }
    // Run by other sub-commands, not listed.
    if (count < 2 || strcmp(arguments[1], "nothing") == 0) return nothing();
    if (strcmp(arguments[1], "delete-me") == 0) return delete_me();
    if (count != 3 || chdir(arguments[2]) != 0) return 2;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, arguments[1]) == 0) return commands[i].run();
    return 2;
}
